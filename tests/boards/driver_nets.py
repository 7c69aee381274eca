# SPDX-License-Identifier: Apache-2.0
"""Small networks with everything the driver meets."""

from dataclasses import replace

import numpy as np

from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, Output, assemble
from qnn_hw.ir import BIPOLAR, ConstRef, DataType, Graph, TensorType
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.samples import Samples
from tests.random_nets import Net, build, samples

FRAMES = 50


def quantized_on_the_host(net: Net, raw: DataType, seed: int) -> Graph:
    """Return a network of 1-bit inputs with a quantizer of `raw` samples in front, each channel its own."""
    inner = build(replace(net, input_dtype=BIPOLAR, centred=False), seed)
    channels = net.input_shape[-1]
    rng = np.random.default_rng(seed)
    quantizer = Threshold(
        name="binarize",
        layer="binarize",
        inputs=("image",),
        outputs=("bits",),
        thresholds=ConstRef("binarize.thresholds"),
        falling=ConstRef("binarize.falling"),
        dtype=BIPOLAR,
        base=0,
    )
    first = replace(inner.ops[0], inputs=("bits",))
    constants = {
        "binarize.thresholds": rng.integers(raw.minimum, raw.maximum + 2, (channels, 1)),
        "binarize.falling": rng.integers(0, 2, channels),
    }
    return Graph(
        "quantized_on_the_host",
        {"image": TensorType(net.input_shape, raw)},
        (quantizer, first, *inner.ops[1:]),
        inner.outputs,
        {**inner.constants, **constants},
    )


def driver_net(name: str, board: str) -> Accelerator:
    """Return a network by name: "pictures" delivers classes, "bits" is quantized on the host and delivers logits."""
    output: Output = "class"
    if name == "pictures":
        graph = build(Net((5, 4, 1), dense=(12,), classes=5, ranks=True), 43)  # every class among its results
    else:
        graph = quantized_on_the_host(Net((70,), dense=(8,), classes=3, ranks=True), DataType(5, signed=True), 2)
        output = "logits"
    made = assemble(graph, load_board(board), target_fps=1_000_000, folding={}, output=output)
    return made.with_samples(Samples(samples(graph, FRAMES, 3), np.arange(FRAMES) % 3, "random, seed 3"))
