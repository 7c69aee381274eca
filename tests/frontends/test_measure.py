# SPDX-License-Identifier: Apache-2.0
"""Thresholds: the smallest integers that separate the codes, and bisection = trying all."""

from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import measure, monotone
from qnn_hw.frontends.keras.measure import Chain, evaluate_all, measure_steps
from qnn_hw.frontends.keras.stages import FloatStage, PoolStage, Reach
from qnn_hw.quantizers import FixedPoint, SteSign
from tests.frontends.nets import GAMMAS, VARIANCES

POOL = PoolStage("pool", (2, 2), (2, 2), (0, 0, 0, 0), None)


def batch_normalization(n: int, seed: int) -> FloatStage:
    rng = np.random.default_rng(seed)
    layer = keras.layers.BatchNormalization(name="bn")
    layer.build((None, n))
    gamma, variance = rng.choice(GAMMAS, n), rng.choice(VARIANCES, n)
    layer.set_weights([gamma, rng.choice([0.0, 1.0, -0.3], n), rng.integers(-20, 20, n).astype(float), variance])
    return FloatStage("bn", "batch_normalization", layer)


def quantizer(module: Any) -> FloatStage:
    code = module.code_type
    return FloatStage("q", type(module).__name__, module, code, code.min_code, code.max_code)


def counts(steps: Any, x: Any) -> Any:
    reached = (x[:, None, None] >= steps.thresholds[None]).sum(axis=2)
    return np.where(steps.falling, steps.thresholds.shape[1] - reached, reached)


@pytest.mark.parametrize("reach", [Reach(-31, 31, 2), Reach(-500, 700)], ids=["parity", "all"])
@pytest.mark.parametrize("module", [SteSign(), FixedPoint(3, 1), FixedPoint(4, -3, signed=False)], ids=["1", "3", "4"])
@pytest.mark.parametrize("seed", range(3))
def test_steps_equal_the_layers_and_bisection(monkeypatch: Any, reach: Reach, module: Any, seed: int) -> None:
    stages = (batch_normalization(24, seed), POOL, batch_normalization(24, seed + 50), quantizer(module))
    chain = Chain("fc", stages, 24, 2, reach)
    low, high = module.code_type.min_code, module.code_type.max_code
    tried = measure_steps(chain, low, high)
    monkeypatch.setattr(measure, "EXHAUSTIVE_LIMIT", 0)
    bisected = measure_steps(chain, low, high)
    np.testing.assert_array_equal(tried.thresholds, bisected.thresholds)
    np.testing.assert_array_equal(tried.falling, bisected.falling)
    assert len(tried.flips) == len(bisected.flips) == 1
    codes = measure.to_codes("q", evaluate_all(chain)[-1], module.code_type)
    np.testing.assert_array_equal(counts(tried, reach.values()) + low, codes)
    assert reach.first <= tried.thresholds.min() <= tried.thresholds.max() <= reach.last + 1


def test_flips_of_bisection_keep_the_pooled_result(monkeypatch: Any) -> None:
    """Constant channels may be flipped or not; in all others both methods agree."""
    chain = Chain(
        "fc",
        (batch_normalization(64, 1), POOL, batch_normalization(64, 2), quantizer(SteSign())),
        64,
        2,
        Reach(-40, 40),
    )
    tried = measure_steps(chain, 0, 1)
    monkeypatch.setattr(measure, "EXHAUSTIVE_LIMIT", 0)
    bisected = measure_steps(chain, 0, 1)
    varies = (tried.thresholds > -40).any(axis=1) & (tried.thresholds <= 40).any(axis=1)
    assert varies.any()
    np.testing.assert_array_equal(tried.flips[0][varies], bisected.flips[0][varies])


def test_a_threshold_is_the_smallest_integer_that_separates() -> None:
    chain = Chain("fc", (quantizer(SteSign()),), 1, 2, Reach(-3, 3, 2))
    assert measure_steps(chain, 0, 1).thresholds.tolist() == [[0]]
    never = FloatStage("neg", "bias", lambda x: x - 100.0)
    assert measure_steps(Chain("fc", (never, quantizer(SteSign())), 1, 2, Reach(-3, 3, 2)), 0, 1).thresholds == [[4]]
    always = FloatStage("pos", "bias", lambda x: x + 100.0)
    assert measure_steps(Chain("fc", (always, quantizer(SteSign())), 1, 2, Reach(-3, 3, 2)), 0, 1).thresholds == [[-3]]


def test_skipped_levels_are_equal_thresholds() -> None:
    double = FloatStage("double", "scale", lambda x: x * 2.0)
    chain = Chain("fc", (double, quantizer(FixedPoint(2, 0, signed=False))), 1, 2, Reach(-4, 4))
    assert measure_steps(chain, 0, 3).thresholds.tolist() == [[1, 1, 2]]


def test_not_monotone() -> None:
    square = FloatStage("act", "square", lambda x: x * x - 4.5)
    chain = Chain("fc1", (square, quantizer(SteSign())), 1, 2, Reach(-5, 5))
    with pytest.raises(QnnError) as error:
        measure_steps(chain, 0, 1)
    assert str(error.value) == (
        "q: channel 0 of fc1 is not monotone, its code rises at accumulator 3 and falls at -2; "
        "use monotone activations before the quantizer"
    )


def test_not_monotone_behind_a_pool() -> None:
    square = FloatStage("act", "square", lambda x: (x - 1.0) * (x - 1.0))
    # Rises over the reach 3..6 as x does, but the pool sees 5, 3, 4 falling and rising.
    shuffle = FloatStage("shuffle", "shuffle", lambda x: keras.ops.where(x > 4.0, 7.0 - x, x))
    chain = Chain("fc1", (shuffle, POOL, square, shuffle, quantizer(FixedPoint(6, 0))), 1, 2, Reach(3, 6))
    with pytest.raises(QnnError, match=r"^q: channel 0 of fc1 is not monotone"):
        measure_steps(chain, -32, 31)


def test_too_many_values_for_an_unknown_operation() -> None:
    tanh = FloatStage("act", "tanh", keras.ops.tanh)
    chain = Chain("fc1", (tanh, quantizer(SteSign())), 1, 2, Reach(-50000, 50000))
    with pytest.raises(QnnError) as error:
        measure_steps(chain, 0, 1)
    assert str(error.value) == (
        "act: fc1 has 100001 possible accumulators, more than 65536 can be tried only for operations known to "
        "be monotone, "
        "and tanh is not; use relu, hard_tanh or fewer inputs"
    )


def test_nan() -> None:
    bad = FloatStage("bn", "scale", lambda x: x * float("nan"))
    with pytest.raises(QnnError, match=r"^q: channel 0 of fc1 delivers NaN at accumulator -2; "):
        measure_steps(Chain("fc1", (bad, quantizer(SteSign())), 1, 2, Reach(-2, 2)), 0, 1)


@pytest.mark.parametrize("name", ["relu", "relu6", "leaky_relu", "tanh", "softsign", "hard_sigmoid"])
def test_single_valued_operations_give_one_float_wherever_a_number_stands(name: str) -> None:
    assert name in monotone.SINGLE_VALUED
    function = getattr(keras.activations, name)
    x = (np.random.default_rng(0).standard_normal(1500) * 4).astype(np.float32)
    together = np.asarray(function(keras.ops.convert_to_tensor(x)))
    alone = [np.asarray(function(keras.ops.convert_to_tensor(x[i : i + 1])))[0] for i in range(len(x))]
    np.testing.assert_array_equal(together, np.array(alone))
