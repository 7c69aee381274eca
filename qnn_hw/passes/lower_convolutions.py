# SPDX-License-Identifier: Apache-2.0
"""A convolution is a sliding window and a matrix-vector product."""

from dataclasses import replace

from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.window import Window


def lower_convolutions(graph: Graph) -> Graph:
    """Replace each conv2d by window -> matvec; a 1x1 convolution of stride 1 without padding needs no window.

    Requires: nothing. Ensures: no conv2d is left; weights are (rows, kh * kw * c), columns in the order (kh, kw, c).
    """
    ops: list[Op] = []
    constants = dict(graph.constants)
    for op in graph.ops:
        if not isinstance(op, Conv2D):
            ops.append(op)
            continue
        rows, kh, kw, _ = constants[op.weights].shape
        constants[op.weights] = constants[op.weights].reshape(rows, -1)
        source = op.inputs
        if (kh, kw, *op.strides, *op.padding) != (1, 1, 1, 1, 0, 0, 0, 0):
            source = (f"{op.outputs[0]}_window",)
            ops.append(
                Window(
                    name=f"{op.name}_window",
                    layer=op.layer,
                    inputs=op.inputs,
                    outputs=source,
                    kernel=(kh, kw),
                    strides=op.strides,
                    padding=op.padding,
                    pad_value=op.pad_value,
                )
            )
        ops.append(
            MatVec(
                name=op.name,
                layer=op.layer,
                inputs=source,
                outputs=op.outputs,
                weights=op.weights,
                weight_dtype=op.weight_dtype,
            )
        )
    return replace(graph, ops=tuple(ops), constants=constants)
