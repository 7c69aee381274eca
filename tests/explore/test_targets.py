# SPDX-License-Identifier: Apache-2.0
"""What `--fps` takes and refuses, and which points are on a front."""

from itertools import pairwise

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.explore.pareto import front
from qnn_hw.explore.targets import parse_targets, target_text

FORMS = "give START:END, START:END:POINTS, or a list such as 1000,5000,max, in frames a second"


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("1000:100000:3", (1000, 10000, 100000)),
        ("1000:1000:1", (1000,)),
        ("5:5", (5,)),
        ("1e3:2e3:2", (1000, 2000)),
        ("5000, 1000,max,5e3", (1000, 5000, "max")),
        ("max", ("max",)),
        ("0.5", (0.5,)),
    ],
)
def test_targets(text: str, targets: tuple[object, ...]) -> None:
    assert parse_targets(text) == targets


def test_a_range_without_a_number_has_twelve_points_evenly_spaced() -> None:
    targets = parse_targets("1000:100000")
    assert len(targets) == 12 and (targets[0], targets[-1]) == (1000, 100000)
    ratios = [high / low for low, high in pairwise(targets)]  # type: ignore[operator]
    assert ratios == pytest.approx([100 ** (1 / 11)] * 11, rel=1e-3)
    assert parse_targets(",".join(target_text(target) for target in targets)) == targets


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0:1000", "--fps 0:1000: 0 is not between 0 and 1e+09 frames a second"),
        ("-5", "--fps -5: -5 is not between 0 and 1e+09 frames a second"),
        ("1000:1e12", "--fps 1000:1e12: 1e12 is not between 0 and 1e+09 frames a second"),
        ("nan", "--fps nan: nan is not between 0 and 1e+09 frames a second"),
        ("inf:inf", "--fps inf:inf: inf is not between 0 and 1e+09 frames a second"),
        ("5000:1000", "--fps 5000:1000: starts above its end; give the lower rate first"),
        ("1:10:0", "--fps 1:10:0: 0 points; give between 1 and 10,000"),
        ("1:10:-3", "--fps 1:10:-3: -3 points; give between 1 and 10,000"),
        ("1:10:10001", "--fps 1:10:10001: 10,001 points; give between 1 and 10,000"),
        ("1:10:1", "--fps 1:10:1: a range of 1 point; give 2 or more, or the one rate alone"),
        ("1:10:many", f"--fps 1:10:many: 'many' is no number of points; {FORMS}"),
        ("1:2:3:4", f"--fps 1:2:3:4: {FORMS}"),
        ("", f"--fps : '' is no rate; {FORMS}"),
        ("1000,fast", f"--fps 1000,fast: 'fast' is no rate; {FORMS}"),
        ("1000:max", f"--fps 1000:max: 'max' is no rate; {FORMS}"),
        (",".join(["1"] * 10001), "--fps: a list of 10,001 targets; give at most 10,000"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_absurd_targets(text: str, sentence: str) -> None:
    with pytest.raises(QnnError) as error:
        parse_targets(text)
    assert str(error.value) == sentence


def test_a_front_holds_what_nothing_else_beats() -> None:
    points = [(10, 5.0), (10, 6.0), (12, 6.0), (12, 7.0), (9, 1.0), (9, 1.0), (20, 7.0)]
    beaten = [any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points) for cost, gain in points]
    assert front(points) == [not is_beaten for is_beaten in beaten] == [False, True, False, True, True, True, False]
    assert front([]) == []
