# SPDX-License-Identifier: Apache-2.0
"""Random networks with random foldings, queues, boards and outputs: the points at which the cycle model is judged."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.folding.model import FoldableLayer, foldable_layers
from qnn_hw.ir import BIPOLAR, UINT8, DataType
from qnn_hw.passes import lower
from qnn_hw.passes.partition import partition
from tests.random_nets import Block, Conv, Net, build

SLOWEST_FRAME_CYCLES = 6_000
MOST_LANES = 2_048
"""PE * SIMD of a layer: each lane is elaborated, and its arithmetic says nothing about cycles."""


@dataclass(frozen=True, slots=True)
class Point:
    """An accelerator drawn from a seed."""

    seed: int
    text: str
    accelerator: Accelerator


def random_point(seed: int) -> Point:
    """Draw a network that can be built; the same seed gives the same one."""
    rng = np.random.default_rng([seed, 20_26])
    while True:
        net = _net(rng)
        board = str(rng.choice(["pynq-z2", "pynq-z2", "zcu104"]))
        output = str(rng.choice(["class", "class", "logits"]))
        rule = bool(rng.integers(2))
        try:
            graph = build(net, seed)
            layers = foldable_layers(lower(partition(graph).hardware))
            folding = {layer.name: _folding(rng, layer) for layer in layers}
            fastest = max(min(layer.cycles(pe, simd) for pe, simd in _legal(layer)) for layer in layers)
            target = int(fastest * 2.0 ** rng.uniform(0, 6))
            made = assemble(
                graph,
                load_board(board),
                target_fps=100e6 / target if rule else None,
                clock_mhz=100,
                folding=None if rule else folding,
                output="logits" if output == "logits" else "class",
            )
        except QnnError:
            continue  # a window that does not fit its map, a target the DMA misses: draw again
        if made.interval_cycles <= SLOWEST_FRAME_CYCLES and all(
            made.folding[layer.name].pe * made.folding[layer.name].simd <= MOST_LANES for layer in layers
        ):
            how = f"target {target}" if rule else "random folding"
            return Point(seed, f"{_text(net)}, {how}, {board}, {output}", made)


def short_queues(point: Point) -> dict[str, int]:
    """Depths that make stages wait for each other, and branches stop for ever now and then: operator name -> beats."""
    rng = np.random.default_rng([point.seed, 7])
    names = [op.name for op in point.accelerator.folded.ops if op.keyword == "fifo"]
    long = {name: 80 for name in names if "_sum_" in name and rng.random() < 0.8}
    return {**{name: int(rng.choice([2, 2, 3, 4, 7])) for name in names}, **long}


def _legal(layer: FoldableLayer) -> list[tuple[int, int]]:
    if layer.op.keyword == "pool":
        return [(pe, pe) for pe in layer.pes()]
    return [(pe, simd) for pe in layer.pes() for simd in layer.simds()]


def _folding(rng: np.random.Generator, layer: FoldableLayer) -> LayerFolding:
    legal = _legal(layer)
    pe, simd = legal[rng.integers(len(legal))]
    return LayerFolding(pe, simd, fifo_depth=int(rng.choice([0, 0, 2, 3, 5, 40, 100])))


def _net(rng: np.random.Generator) -> Net:
    code = [BIPOLAR, BIPOLAR, DataType(2)][rng.integers(3)]
    source = [UINT8, UINT8, BIPOLAR, DataType(4, signed=True)][rng.integers(4)]
    convs: list[Conv] = []
    for _ in range(rng.integers(0, 4)):
        convs.append(_conv(rng, [-1, 0, 1] if convs and code == BIPOLAR else [0]))
    blocks = tuple(_block(rng) for _ in range(rng.choice([0, 0, 1, 2]))) if len(convs) == 1 else ()
    size = (int(rng.integers(4, 13)), int(rng.integers(4, 13)), int(rng.choice([1, 2, 3, 4, 8])))
    dense = tuple(int(n) for n in rng.choice([4, 6, 10, 16, 24, 32, 64, 100], rng.integers(0, 4)))
    return Net(
        input_shape=size if convs else (int(rng.choice([8, 16, 35, 64, 100, 128, 196, 400, 784])),),
        convs=tuple(convs),
        dense=dense,
        blocks=blocks,
        dense_block=bool(dense) and rng.random() < 0.2,
        classes=int(rng.integers(2, 12)),
        input_dtype=source,
        centred=source == UINT8,
        code_dtype=code,
    )


def _conv(rng: np.random.Generator, padded: list[int]) -> Conv:
    pools = [None, None, (2, 2), (3, 3), (3, 2)]
    return Conv(
        channels=int(rng.choice([1, 2, 4, 6, 8, 12, 16])),
        kernel=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        strides=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        same=bool(rng.integers(2)),
        pad_value=padded[rng.integers(len(padded))],
        pool=pools[rng.integers(len(pools))],
        pool_strides=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        pool_same=bool(rng.integers(2)),
        pool_codes=bool(rng.integers(2)),
    )


def _block(rng: np.random.Generator) -> Block:
    kernels = ((3, 3), (1, 1), (3, 3))[: rng.integers(1, 4)]
    strides = int(rng.integers(1, 3))
    inner = (Block(4),) if rng.random() < 0.2 else ()
    return Block(
        int(rng.choice([4, 8])), kernels, (strides, strides), adds_accumulators=bool(rng.integers(2)), inner=inner
    )


def _text(net: Net) -> str:
    shape = "x".join(map(str, net.input_shape))
    convs = "".join(
        f" conv{c.kernel[0]}x{c.kernel[1]}/{c.strides[0]}{c.strides[1]}-{c.channels}"
        + ("s" if c.same else "")
        + (f" pool{c.pool[0]}x{c.pool[1]}/{c.pool_strides[0]}{c.pool_strides[1]}" if c.pool else "")
        for c in net.convs
    )
    convs += "".join(
        f" block{len(b.kernels)}/{b.strides[0]}-{b.channels}" + ("+inner" if b.inner else "") for b in net.blocks
    )
    convs += " dense block" if net.dense_block else ""
    return f"{net.input_dtype}[{shape}]{convs} fc{'-'.join(map(str, (*net.dense, net.classes)))}"
