# SPDX-License-Identifier: Apache-2.0
"""What the resource model knows of a table of constants: a few counts, from the content or expected of random bits."""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table of `depth` words of `width` bits, seen column by column (a column is one bit of every word).

    Attributes:
        depth: words.
        width: bits of a word.
        constant: columns that are all zero or all one; they need neither memory nor register.
        distinct: different columns among the others; equal ones share memory and register.
        functions: the same without counting a column and its complement twice; they share logic.
    """

    depth: int
    width: int
    constant: int
    distinct: int
    functions: int

    def as_dict(self) -> dict[str, int]:
        """Return the fields by name."""
        return asdict(self)


def summarize(words: Sequence[str], width: int) -> TableSummary:
    """Summarize a table given as hexadecimal words."""
    values = [int(word, 16) for word in words]
    columns = [sum(((value >> bit) & 1) << row for row, value in enumerate(values)) for bit in range(width)]
    full = (1 << len(values)) - 1
    varying = [column for column in columns if column not in (0, full)]
    functions = {min(column, column ^ full) for column in varying}
    return TableSummary(len(values), width, width - len(varying), len(set(varying)), len(functions))


@functools.lru_cache(maxsize=65536)
def random_table(width: int, depth: int) -> TableSummary:
    """Return the expected summary of independent random bits: what weights look like to the model."""
    if depth > 60:
        return TableSummary(depth, width, 0, width, width)
    if depth == 1:
        return TableSummary(1, width, width, 0, 0)
    patterns = 2.0**depth
    constant = round(width * 2 / patterns)
    varying = patterns - 2
    distinct = round(_different(varying, width - constant))
    functions = round(_different(varying / 2, width - constant))
    return TableSummary(depth, width, constant, distinct, functions)


def _different(patterns: float, draws: int) -> float:
    """Expected number of different ones among `draws` of equally likely `patterns`."""
    return patterns * (1 - (1 - 1 / patterns) ** draws)
