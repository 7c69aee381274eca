# SPDX-License-Identifier: Apache-2.0
"""What the resource model knows of a table of constants: a few counts, from the content or expected of random bits."""

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

SHALLOW = 16
"""Words up to which a column is one LUT whatever it holds."""

_NEIGHBOURS = 16
"""Earlier columns one is compared with: the other bits of its number, for thresholds."""


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table of `depth` words of `width` bits, seen column by column (a column is one bit of every word).

    Attributes:
        depth: words.
        width: bits of a word.
        constant: columns that are all zero or all one; they need neither memory nor register.
        distinct: different columns among the others; equal ones share memory and register.
        functions: how many columns' worth of logic they are: the distinct ones; above `SHALLOW` words a column and its
            complement count once, and half of a column by its entropy (bits a word): of its changes from word to word
            or of its difference from the nearest neighbour.
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
    depth = len(words)
    values = [int(word, 16) for word in words]
    columns = [sum(((value >> bit) & 1) << row for row, value in enumerate(values)) for bit in range(width)]
    full = (1 << depth) - 1
    varying = [column for column in columns if column not in (0, full)]
    distinct = list(dict.fromkeys(varying))
    functions = len(distinct)
    if depth > SHALLOW:
        alone = len({min(column, column ^ full) for column in distinct})
        functions = round((alone + sum(_novelty(distinct, index, depth) for index in range(len(distinct)))) / 2)
    return TableSummary(depth, width, width - len(varying), len(distinct), functions)


def _novelty(columns: Sequence[int], index: int, depth: int) -> float:
    """Entropy of a column: of its changes from word to word, or, where that is less, of its difference from the nearest
    of the constant, its neighbours and their complements."""
    column = columns[index]
    near = columns[max(0, index - _NEIGHBOURS) : index]
    differing = [(column ^ other).bit_count() for other in (0, *near)]
    changes = ((column ^ (column >> 1)) & ((1 << (depth - 1)) - 1)).bit_count()
    share = min(changes, *(min(n, depth - n) for n in differing)) / depth
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share) if share else 0.0


@functools.lru_cache(maxsize=65536)
def random_table(width: int, depth: int) -> TableSummary:
    """Return the expected summary of independent random bits: what weights look like to the model."""
    if depth == 1:
        return TableSummary(1, width, width, 0, 0)
    if depth > SHALLOW:
        # The nearest of 16 random columns is 2.1 standard deviations away from a half.
        return TableSummary(depth, width, 0, width, round(width * (1 - 1.6 / depth)))
    patterns = 2.0**depth
    constant = round(width * 2 / patterns)
    varying = patterns - 2
    distinct = round(_different(varying, width - constant))
    return TableSummary(depth, width, constant, distinct, distinct)


def _different(patterns: float, draws: int) -> float:
    """Expected number of different ones among `draws` of equally likely `patterns`."""
    return patterns * (1 - (1 - 1 / patterns) ** draws)
