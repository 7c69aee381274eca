# SPDX-License-Identifier: Apache-2.0
"""Folding as data, and which foldings a layer can take."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.window import Window

WEIGHT_MEMORIES = ("auto", "lut", "lutram", "bram")


@dataclass(frozen=True, slots=True)
class LayerFolding:
    """Folding of one layer.

    Attributes:
        pe: processing elements: rows of a matvec, or channels of a pool, handled in parallel.
        simd: columns of a matvec handled in parallel; equals `pe` for a pool.
        weight_memory: one of `WEIGHT_MEMORIES`.
        fifo_depth: beats of the queue in front of the layer; 0 lets the compiler choose.
    """

    pe: int
    simd: int
    weight_memory: str = "auto"
    fifo_depth: int = 0


Folding = Mapping[str, LayerFolding]
"""Layer name -> its folding."""


@dataclass(frozen=True, slots=True)
class FoldableLayer:
    """A layer with something to fold.

    Attributes:
        op: its matvec or pool.
        pixels: output positions a frame.
        rows, columns: of the matrix; for a pool the channels, and channels * positions.
        channels: channels of the map a window reads in front of it; 0 for a dense layer.
    """

    op: MatVec | Pool
    pixels: int
    rows: int
    columns: int
    channels: int

    @property
    def name(self) -> str:
        """The key in a folding file."""
        return self.op.layer

    def pes(self) -> list[int]:
        """Legal PE values: the divisors of the rows."""
        return divisors(self.rows)

    def simds(self) -> list[int]:
        """Legal SIMD values: divisors of the columns which, behind a window, divide or contain whole pixels."""
        if isinstance(self.op, Pool):
            return divisors(self.rows)
        legal = divisors(self.columns)
        if self.channels:
            legal = [s for s in legal if self.channels % s == 0 or s % self.channels == 0]
        return legal

    def cycles(self, pe: int, simd: int) -> int:
        """Cycles a frame of the slower of the window and the arithmetic behind it."""
        if isinstance(self.op, Pool):
            return self.pixels * self.columns // pe
        window = self.pixels * self.columns // min(simd, self.channels) if self.channels else 0
        return max(window, self.pixels * (self.rows // pe) * (self.columns // simd))

    def check(self, folding: LayerFolding) -> None:
        """Raise QnnError, naming the legal neighbours, unless `folding` fits this layer."""
        self._check("PE", folding.pe, self.pes(), f"{self.rows} {'channels' if self._is_pool else 'rows'}")
        if not self._is_pool:
            what = f"{self.columns} columns"
            if self.channels:
                what += f" of whole or divided pixels of {self.channels} channels"
            self._check("SIMD", folding.simd, self.simds(), what)
        if folding.weight_memory not in WEIGHT_MEMORIES:
            raise QnnError(
                f"{self.name}: weight_memory={folding.weight_memory!r}; allowed: {', '.join(WEIGHT_MEMORIES)}"
            )
        if folding.fifo_depth == 1 or folding.fifo_depth < 0:
            raise QnnError(
                f"{self.name}: fifo_depth={folding.fifo_depth}; a queue holds at least 2 beats (0: automatic)"
            )

    @property
    def _is_pool(self) -> bool:
        return isinstance(self.op, Pool)

    def _check(self, what: str, value: int, legal: list[int], of: str) -> None:
        if value in legal:
            return
        below = max((v for v in legal if v < value), default=None)
        above = min((v for v in legal if v > value), default=None)
        near = " and ".join(str(v) for v in (below, above) if v is not None)
        raise QnnError(f"{self.name}: {what}={value} does not divide {of}; legal values near it: {near}")


def divisors(n: int) -> list[int]:
    """Return the divisors of `n` in ascending order."""
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def foldable_layers(graph: Graph) -> list[FoldableLayer]:
    """Return what can be folded, in graph order."""
    return [_foldable(op, graph) for op in graph.ops if isinstance(op, MatVec | Pool)]


def _foldable(op: MatVec | Pool, graph: Graph) -> FoldableLayer:
    source: Op | None = graph.producer(op.inputs[0])
    channels = graph.types[source.inputs[0]].channels if isinstance(source, Window) else 0
    out = graph.types[op.outputs[0]]
    return FoldableLayer(op, out.pixels, out.channels, graph.types[op.inputs[0]].channels, channels)
