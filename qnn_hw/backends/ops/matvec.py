# SPDX-License-Identifier: Apache-2.0
"""`matvec` is `qnn_mvu`."""

import numpy as np

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import BIPOLAR
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.packing import words_to_hex

_KINDS = {Domain.POPCOUNT: 0, Domain.MASKED: 1, Domain.DOT: 2}


@describes(MatVec)
def matvec(op: Op, graph: Graph) -> Instance:
    """Weights become a table in the layout of the weight memory: tile nf * SF + sf, PE p at p * SIMD, lane 0 first.

    Raises:
        QnnError: for weights of more than one bit, which this library cannot multiply by yet.
    """
    assert isinstance(op, MatVec)
    if op.weight_dtype != BIPOLAR:
        raise QnnError(
            f"{op.layer}: weights are {op.weight_dtype}; the hardware library multiplies by binary (-1, +1) weights "
            "only, train this layer with kernel_quantizer='ste_sign'"
        )
    x, y = graph.types[op.inputs[0]], graph.types[op.outputs[0]]
    weights = graph.constants[op.weights]
    rows, columns = weights.shape
    file = f"{op.name}.weights.mem"

    def tables() -> dict[str, list[str]]:
        tiles = weights.reshape(rows // op.pe, op.pe, columns // op.simd, op.simd).transpose(0, 2, 1, 3)
        return {file: words_to_hex((tiles > 0).reshape(-1, op.pe * op.simd).astype(np.uint8))}

    return Instance(
        "qnn_mvu",
        {
            "PE": op.pe,
            "SIMD": op.simd,
            "MatrixHeight": rows,
            "MatrixWidth": columns,
            "InKind": _KINDS[op.domain],
            "InWidth": x.dtype.bits,
            "InSigned": int(x.dtype.signed),
            "AccWidth": y.dtype.bits,
            "InitFile": file,
            "WeightStyle": op.weight_memory,
        },
        tables,
    )
