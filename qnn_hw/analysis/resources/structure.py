# SPDX-License-Identifier: Apache-2.0
"""What a formula of one module gives: cells that follow from its structure, and terms whose weights are fitted."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.table import TableSummary

Parameters = Mapping[str, int | str]
Terms = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """What a module is made of.

    Attributes:
        known: cells that follow from the source of the module alone.
        lut: further LUTs, name of a term -> its size; the LUTs a unit of it takes are fitted.
    """

    known: Resources
    lut: Terms = ()


Formula = Callable[[Parameters, TableSummary | None], Structure]


@functools.cache
def calibration() -> dict[str, dict[str, float]]:
    """Return the fitted figures, group -> name -> value; `benchmarks/resource_model.py fit` writes them."""
    text = resources.files("qnn_hw.analysis").joinpath("calibration.json").read_text(encoding="utf-8")
    groups: dict[str, dict[str, float]] = json.loads(text)["groups"]
    return groups


def address_bits(n: int) -> int:
    """Bits that count `n` states."""
    return (n - 1).bit_length()


def adder_carry4(width: int) -> int:
    """CARRY4 cells of an adder; up to two bits yosys takes none (`techlibs/xilinx/arith_map.v`)."""
    return -(-width // 4) if width > 2 else 0


def comparison(width: int, *, constant: bool = False) -> tuple[int, int]:
    """Return LUTs and CARRY4 of `a >= b`: three bits of both in a pair of LUTs, a chain above six bits (`cmp2lcu`).

    Against a constant, a last group of one bit is that bit itself.
    """
    groups = -(-width // 3)
    pairs = groups - (1 if constant and width % 3 == 1 else 0)
    return max(1, 2 * pairs - 1), -(-groups // 4) if groups > 2 else 0


def interpolate(group: str, x: float) -> float:
    """Read a curve of the calibration at `x`: linear between its points, level beyond them."""
    xs, ys = _curve(group)
    if x <= xs[0]:
        return ys[0]
    for i in range(1, len(xs)):
        if x <= xs[i]:
            return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1])
    return ys[-1]


@functools.cache
def _curve(group: str) -> tuple[list[float], list[float]]:
    points = sorted((float(x), y) for x, y in calibration().get(group, {"1": 1.0}).items())
    return [x for x, _ in points], [y for _, y in points]
