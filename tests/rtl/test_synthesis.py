# SPDX-License-Identifier: Apache-2.0
"""yosys takes every module of the library, and the dot products stay as small as measured."""

from pathlib import Path

import pytest

from qnn_hw.synthesis.yosys import synthesize
from tests.rtl.bench import Case, sources
from tests.rtl.cases import (
    add,
    affine,
    classifier,
    duplicate,
    identity,
    logits,
    mvu,
    pool,
    threshold,
    width_converter,
    window,
)

CASES = (
    identity("register_slice", "qnn_register_slice", 9),
    identity("fifo", "qnn_fifo", 24, Depth=32, Counters=1),
    identity("fifo-deep", "qnn_fifo", 32, Depth=512),
    width_converter(8, 64),
    width_converter(64, 8),
    affine(3, 8, False, 9, 2, -255),
    duplicate(13, 3),
    add(3, "b1", "i3"),
    logits(2, 9, True),
    window((8, 8), 32, 16, (3, 3), pads=(1, 1, 1, 1), ternary=True),
    *(mvu(2, 6, 8, 12, 0, style=style) for style in ("auto", "lut", "lutram", "bram")),
    mvu(2, 3, 4, 9, 1),
    mvu(2, 9, 4, 27, 2, 8, False),
    threshold(2, 6, 6, True, 3, 2, -2),
    pool(2, 6, 1, False, 4, True),
    pool(4, 4, 2, False, 4, False),
    classifier(5, 10, 8, True, 0),
    classifier(1, 7, 5, True, 1),
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_yosys_takes_it(case: Case, tmp_path: Path) -> None:
    for name, words in case.tables.items():
        (tmp_path / name).write_text("".join(f"{word:x}\n" for word in words), encoding="utf-8")
    found = synthesize(sources(), case.module, parameters=case.parameters, data_dir=tmp_path if case.tables else None)
    if case.module == "qnn_logits":
        assert found.lut == 0
    else:
        assert found.lut + found.ff > 0


@pytest.mark.parametrize(("simd", "limit"), [(64, 100), (576, 865)])
def test_xnor_dot_product_stays_small(simd: int, limit: int) -> None:
    """1.55 and 1.49 LUT per lane with run-time weights, yosys 0.70."""
    lut = synthesize(sources(), "qnn_dot_xnor", parameters={"SIMD": simd}).lut
    assert lut <= limit, f"{lut} LUT, {lut / simd:.2f} per lane; was {limit}"


@pytest.mark.parametrize(("simd", "width", "limit"), [(3, 8, 22), (27, 8, 215), (8, 2, 22)])
def test_integer_dot_product_stays_small(simd: int, width: int, limit: int) -> None:
    """7.0 to 7.8 LUT per lane of 8 bits besides the pair sums that all rows share, yosys 0.70."""
    out = width + 1 + (simd - 1).bit_length()
    parameters = {"SIMD": simd, "InWidth": width, "InSigned": 0, "OutWidth": out}
    lut = synthesize(sources(), "qnn_dot_integer", parameters=parameters).lut
    assert lut <= limit, f"{lut} LUT, {lut / simd:.2f} per lane; was {limit}"
