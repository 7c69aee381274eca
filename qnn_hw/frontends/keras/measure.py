# SPDX-License-Identifier: Apache-2.0
"""Measuring chains: the layers of the prepared model, run on every integer an accumulator can take.

Nothing here knows what a layer computes. Where there are too many integers the changes of the code are found by
bisection, for chains of monotone operations only (`monotone`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras.monotone import MONOTONE
from qnn_hw.frontends.keras.stages import FlattenStage, FloatStage, PoolStage, Reach
from qnn_hw.ir.code_type import CodeType
from qnn_hw.ir.datatype import IntArray

FloatArray = npt.NDArray[np.float32]
ChainStage = FloatStage | FlattenStage | PoolStage

EXHAUSTIVE_LIMIT = 1 << 16
"""Values a channel up to which every one is evaluated."""

_CHUNK_ELEMENTS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The float operations from an integer tensor to the next quantizer (or to the scores).

    Attributes:
        layer: name of the layer in messages.
        stages: what stands between, pools and flattens included; the last float stage is the quantizer, if any.
        channels: size of the last axis.
        rank: axes of the integer tensor, batch included (2 or 4): the layers are called with such tensors.
        reach: the integers to evaluate.
    """

    layer: str
    stages: tuple[ChainStage, ...]
    channels: int
    rank: int
    reach: Reach

    @property
    def quantizer(self) -> FloatStage:
        """The last float stage."""
        return [s for s in self.stages if isinstance(s, FloatStage)][-1]

    @property
    def exhaustive(self) -> bool:
        """Whether there are few enough integers to try them all."""
        return self.reach.count <= EXHAUSTIVE_LIMIT


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A measured step function a channel.

    Attributes:
        thresholds: (channels, steps) ascending; in first ... last + 1 of the reach.
        falling: (channels,) bool.
        flips: one (channels,) bool a pool of the chain: True where the operations behind that pool fall.
    """

    thresholds: IntArray
    falling: npt.NDArray[np.bool_]
    flips: tuple[npt.NDArray[np.bool_], ...]


def to_codes(layer: str, values: npt.NDArray[Any], code: CodeType) -> npt.NDArray[np.int32]:
    """Turn what a quantizer delivered into codes (bipolar: 0 or 1), same shape.

    Raises:
        QnnError: for a value, NaN included, that is no level of `code`.
    """
    if np.isnan(values).any():
        row, channel = (int(i) for i in np.argwhere(np.isnan(values))[0])
        raise QnnError(
            f"{layer}: channel {channel} delivers NaN (value number {row}); check the weights of the layers before"
        )
    steps = (values.astype(np.float64) - code.offset) / code.scale
    if code.bipolar:
        steps = (steps + 1) / 2
    result = np.rint(steps)
    wrong = ~(np.abs(result - steps) <= 1e-3) | (result < code.min_code) | (result > code.max_code)
    if wrong.any():
        raise QnnError(
            f"{layer}: the quantizer delivers {values[wrong][0]:g}, which is no level of its code type {code}"
        )
    return result.astype(np.int32)


def evaluate(chain: Chain, x: IntArray) -> tuple[FloatArray, ...]:
    """Run the chain's layers on integers (n, channels), leaving pools out.

    Returns:
        The floats before every pool, then those at the end, each (n, channels).
    """
    rows = max(1, _CHUNK_ELEMENTS // chain.channels)
    parts = [_evaluate_rows(chain, x[i : i + rows]) for i in range(0, len(x), rows)]
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _evaluate_rows(chain: Chain, x: IntArray) -> list[FloatArray]:
    shape = (len(x), *(1,) * (chain.rank - 2), chain.channels)
    results: list[FloatArray] = []
    with tf.device("CPU:0"):
        y: Any = tf.convert_to_tensor(x.astype(np.float32).reshape(shape))
        for stage in chain.stages:
            if isinstance(stage, PoolStage):
                results.append(np.asarray(y).reshape(x.shape))
            else:
                y = stage.module(y)
        results.append(np.asarray(y).reshape(x.shape))
    return results


def evaluate_all(chain: Chain) -> tuple[FloatArray, ...]:
    """Run `evaluate` on every value of the reach, the same for every channel: (values, channels) each."""
    values = chain.reach.values()[:, None]
    return evaluate(chain, np.broadcast_to(values, (len(values), chain.channels)))


def measure_steps(chain: Chain, low: int, high: int) -> Steps:
    """Find where the codes of a chain change.

    Args:
        chain: ends in a quantizer.
        low: the code where no threshold is reached in a rising channel.
        high: the code where all are.

    Returns:
        code = low + #{i : x >= T[c, i]}, and high - #{...} in a falling channel, for every reachable x. Each T is the
        smallest integer that does it.

    Raises:
        QnnError: if a channel's code is not monotone, or there are too many values for operations not known to be so.
    """
    return _try_all(chain, low, high) if chain.exhaustive else _bisect(chain, low, high)


def _try_all(chain: Chain, low: int, high: int) -> Steps:
    *before_pools, last = evaluate_all(chain)
    _check_numbers(chain, np.broadcast_to(chain.reach.values()[:, None], last.shape), last)
    codes = _codes(chain, last)
    falling = _directions(chain, codes)
    counts = np.where(falling, high - codes, codes - low)
    levels = np.arange(1, high - low + 1)
    index = np.empty((chain.channels, len(levels)), np.int64)
    for channel in range(chain.channels):
        index[channel] = np.searchsorted(counts[:, channel], levels)
    flips = tuple(_falls_behind(chain, floats, codes) for floats in before_pools)
    return Steps(_thresholds(chain.reach, index), falling, flips)


def _codes(chain: Chain, floats: FloatArray) -> npt.NDArray[np.int32]:
    quantizer = chain.quantizer
    if quantizer.code is None:
        raise QnnError(f"{chain.layer}: the chain behind it ends without a quantizer")
    return to_codes(quantizer.layer, floats, quantizer.code)


def _check_numbers(chain: Chain, x: IntArray, floats: FloatArray) -> None:
    if np.isnan(floats).any():
        row, channel = (int(i) for i in np.argwhere(np.isnan(floats))[0])
        raise QnnError(
            f"{chain.quantizer.layer}: channel {channel} of {chain.layer} delivers NaN at accumulator "
            f"{x[row, channel]}; "
            "check the weights of the layers between them"
        )


def _thresholds(reach: Reach, index: IntArray) -> IntArray:
    """Index of the first value that reaches a level -> the smallest integer that separates it from the one before."""
    return np.where(index == 0, reach.first, reach.at(index - 1) + 1)


def _directions(chain: Chain, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return which channels fall.

    Raises:
        QnnError: naming a channel that does both, with two accumulators that show it.
    """
    change = np.diff(codes, axis=0)
    rises, falls = (change > 0).any(axis=0), (change < 0).any(axis=0)
    both = np.flatnonzero(rises & falls)
    if both.size:
        channel = int(both[0])
        up, down = (int(np.flatnonzero(part)[0]) + 1 for part in (change[:, channel] > 0, change[:, channel] < 0))
        values = chain.reach.values()
        raise QnnError(
            f"{chain.quantizer.layer}: channel {channel} of {chain.layer} is not monotone, its code rises at "
            "accumulator "
            f"{values[up]} and falls at {values[down]}; use monotone activations before the quantizer"
        )
    return np.asarray(falls)


def _falls_behind(chain: Chain, floats: FloatArray, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Tell where the code falls as the float before a pool rises.

    Raises:
        QnnError: if it does neither.
    """
    order = np.argsort(floats, axis=0, kind="stable")
    change = np.diff(np.take_along_axis(codes, order, axis=0), axis=0)
    rises, falls = (change > 0).any(axis=0), (change < 0).any(axis=0)
    both = np.flatnonzero(rises & falls)
    if both.size:
        raise QnnError(
            f"{chain.quantizer.layer}: channel {int(both[0])} of {chain.layer} is not monotone behind the "
            "pooling layer; "
            "use monotone activations before the quantizer"
        )
    return np.asarray(falls)


def _bisect(chain: Chain, low: int, high: int) -> Steps:
    unknown = [s for s in chain.stages if isinstance(s, FloatStage) and s.operation not in MONOTONE]
    if unknown:
        raise QnnError(
            f"{unknown[0].layer}: {chain.layer} has {chain.reach.count} possible accumulators, more than "
            f"{EXHAUSTIVE_LIMIT} can be tried only for operations known to be monotone, and "
            f"{unknown[0].operation} is not; "
            "use relu, hard_tanh or fewer inputs"
        )
    reach, n_levels = chain.reach, high - low
    ends = np.array([[reach.first], [reach.last]], np.int64)
    ends = np.broadcast_to(ends, (2, chain.channels))
    floats = evaluate(chain, ends)
    _check_numbers(chain, ends, floats[-1])
    first, last = _codes(chain, floats[-1])
    falling = last < first
    levels = np.arange(1, n_levels + 1)[:, None]

    def reached(codes: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        return np.where(falling, high - codes, codes - low) >= levels

    # Invariant: indices below `below` do not reach the level, those from `above` on do.
    below = np.zeros((n_levels, chain.channels), np.int64)
    above = np.full((n_levels, chain.channels), reach.count, np.int64)
    while (below < above).any():
        middle = (below + above) // 2
        hit = reached(_codes(chain, evaluate(chain, reach.at(np.minimum(middle, reach.count - 1)))[-1]))
        hit |= middle >= reach.count
        above = np.where(hit, middle, above)
        below = np.where(hit, below, np.minimum(middle + 1, above))
    # All operations being monotone, the part behind a pool falls where it turns the direction of the part before.
    flips = tuple(((f[1] > f[0]) & (last < first)) | ((f[1] < f[0]) & (last > first)) for f in floats[:-1])
    return Steps(_thresholds(reach, above.T), falling, flips)
