# SPDX-License-Identifier: Apache-2.0
"""Every module of the RTL library against its reference, under idle inputs and blocked outputs."""

import functools
import tempfile
from pathlib import Path

import pytest

from tests.rtl.bench import Case, run_cases
from tests.rtl.cases import STANDARD, mvu, popcount, random_windows


@functools.cache
def complaints(cases: tuple[str, ...], structural: bool) -> dict[str, list[str]]:
    """One build and one simulation for all cases of a table."""
    folder = Path(tempfile.mkdtemp(prefix="qnn-rtl-"))
    return run_cases([TABLE[name] for name in cases], folder, structural=structural)


LARGE = (
    *random_windows(40),
    *(popcount(width) for width in range(11, 40)),
    *(mvu(pe, simd, 6, 12, 0) for pe in (1, 2, 3, 6) for simd in (1, 2, 3, 4, 6, 12)),
    *(mvu(pe, simd, 6, 12, 1) for pe in (1, 6) for simd in (1, 4, 12)),
    *(
        mvu(pe, simd, 6, 12, 2, width, signed)
        for pe in (1, 6)
        for simd in (1, 4, 12)
        for width, signed in ((1, False), (4, True))
    ),
)
TABLE: dict[str, Case] = {case.name: case for case in (*STANDARD, *LARGE)}


def names(cases: tuple[Case, ...]) -> tuple[str, ...]:
    """The names of a table of cases, its key in the cache of results."""
    return tuple(case.name for case in cases)


@pytest.mark.parametrize("structural", [True, False], ids=["structural", "countones"])
@pytest.mark.parametrize("name", names(STANDARD))
def test_module(name: str, structural: bool) -> None:
    found = complaints(names(STANDARD), structural)[name]
    assert not found, f"{name}:\n" + "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", names(LARGE))
def test_module_large_table(name: str) -> None:
    found = complaints(names(LARGE), True)[name]
    assert not found, f"{name}:\n" + "\n".join(found)
