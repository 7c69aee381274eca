# SPDX-License-Identifier: Apache-2.0
"""Integer scores decide as floats do, for every pair of classes and accumulators."""

from typing import Any

import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import scores
from qnn_hw.frontends.keras.measure import Chain, evaluate_all
from qnn_hw.frontends.keras.scores import AffineScores, RankTable, exact_scores
from qnn_hw.frontends.keras.stages import FloatStage, Reach
from tests.frontends.test_measure import batch_normalization


def chain(function: Any, channels: int, reach: Reach) -> Chain:
    return Chain("last", (FloatStage("end", "end", function),), channels, 2, reach)


def codes_of(found: AffineScores | RankTable, reach: Reach) -> Any:
    x = reach.values()
    if isinstance(found, AffineScores):
        return found.slopes * x[:, None] + found.biases
    return found.ranks[:, x - found.first].T


def check(found: AffineScores | RankTable, case: Chain) -> None:
    floats, codes = evaluate_all(case)[-1], codes_of(found, case.reach)
    for c in range(case.channels):
        for d in range(c):
            expected = np.sign(floats[:, None, c].astype(float) - floats[None, :, d])
            got = np.sign(codes[:, None, c] - codes[None, :, d])
            assert (expected == got).all(), f"classes {c} and {d}: {np.argwhere(expected != got)[0]}"


def test_nothing_behind_the_accumulators_is_the_identity() -> None:
    found = exact_scores(Chain("last", (), 3, 2, Reach(-7, 7, 2)))
    assert isinstance(found, AffineScores)
    assert (found.slopes.tolist(), found.biases.tolist()) == ([1, 1, 1], [0, 0, 0])


def test_bias_gives_the_smallest_slope() -> None:
    bias = np.array([0.0, 2.5, -1.0], np.float32)
    case = chain(lambda x: x + bias, 3, Reach(-9, 9))
    found = exact_scores(case)
    assert isinstance(found, AffineScores)
    assert (found.slopes.tolist(), found.biases.tolist()) == ([2, 2, 2], [2, 7, 0])
    check(found, case)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("reach", [Reach(-31, 31, 2), Reach(-64, 64)], ids=["parity", "all"])
def test_batch_normalization(seed: int, reach: Reach) -> None:
    case = Chain("last", (batch_normalization(5, seed),), 5, 2, reach)
    check(exact_scores(case), case)


def test_a_curve_needs_a_rank_table() -> None:
    case = chain(lambda x: x * abs(x), 2, Reach(-31, 31, 2))
    tilted = chain(lambda x: x * abs(x) * np.array([1.0, 1.7], np.float32), 2, Reach(-31, 31, 2))
    found = exact_scores(tilted)
    assert isinstance(found, RankTable)
    assert found.ranks.shape == (2, 63)
    check(found, tilted)
    check(exact_scores(case), case)


def test_saturated_scores_tie() -> None:
    case = chain(lambda x: np.minimum(x, 3.0), 2, Reach(-9, 9))
    found = exact_scores(case)
    assert isinstance(found, RankTable)
    check(found, case)


def test_collision_is_named_where_no_table_can_stand(monkeypatch: Any) -> None:
    monkeypatch.setattr(scores, "RANK_TABLE_LIMIT", 10)
    with pytest.raises(QnnError) as error:
        exact_scores(chain(lambda x: np.minimum(x, 3.0), 2, Reach(-9, 9)))
    text = str(error.value)
    assert text.startswith("last: no 32-bit integer score orders class ")
    assert text.endswith("19 accumulators are too many for a table; quantize the input of this layer to fewer bits")


def test_nan_is_named() -> None:
    with pytest.raises(QnnError, match=r"^last: the score of class 1 at accumulator -2 is NaN; "):
        exact_scores(chain(lambda x: x * np.array([1.0, np.nan], np.float32), 2, Reach(-2, 2)))


def test_too_many_pairs() -> None:
    with pytest.raises(QnnError, match=r"^last: 20000001 possible accumulators for 2 classes are too many"):
        exact_scores(Chain("last", (), 2, 2, Reach(-10_000_000, 10_000_000)))
