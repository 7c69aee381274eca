# SPDX-License-Identifier: Apache-2.0
"""The one counting function, against hand-counted netlists."""

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.synthesis import Resources, count_resources


def test_every_lut_size_is_one_and_a_dual_output_lut_is_one() -> None:
    cells = {f"LUT{n}": 1 for n in range(1, 7)} | {"LUT6_2": 10}
    assert count_resources(cells) == Resources(lut=16)


@pytest.mark.parametrize(
    ("cell", "sites"),
    [
        ("RAM32M", 4),
        ("RAM64M", 4),
        ("RAM32X1D", 2),
        ("RAM64X1D", 2),
        ("RAM128X1D", 4),
        ("RAM64X1S", 1),
        ("RAM128X1S", 2),
        ("RAM256X1S", 4),
        ("SRL16E", 1),
        ("SRLC32E", 1),
    ],
)
def test_memory_cells_count_the_lut_sites_they_fill(cell: str, sites: int) -> None:
    assert count_resources({cell: 3}) == Resources(lut=3 * sites, lutram=3 * sites)


def test_what_is_not_a_lut_stands_apart() -> None:
    cells = {"FDRE": 5, "FDSE": 2, "CARRY4": 3, "MUXF7": 2, "MUXF8": 1, "RAMB18E1": 3, "RAMB36E1": 1, "DSP48E1": 4}
    counted = count_resources(cells)
    assert counted == Resources(ff=7, carry4=3, muxf=3, bram18=3, bram36=1, dsp=4)
    assert counted.bram36_equivalent == 2.5


def test_inverters_and_buffers_are_free() -> None:
    assert count_resources({"INV": 9, "BUFG": 1}) == Resources()


def test_an_unknown_cell_is_an_error_and_not_zero() -> None:
    with pytest.raises(QnnError, match=r"2 cell\(s\) of type 'qnn_black_box'.*give the source file of that module"):
        count_resources({"LUT6": 1, "qnn_black_box": 2})


def test_resources_add_up() -> None:
    a, b = Resources(lut=1, ff=2, bram18=1), Resources(lut=10, lutram=4, dsp=1)
    assert a + b == Resources(lut=11, lutram=4, ff=2, bram18=1, dsp=1)
    assert 3 * a == a * 3 == a + a + a
    assert sum([a, b], Resources()) == a + b
