# SPDX-License-Identifier: Apache-2.0
"""Constraints, activations and the quantized scope."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest

from qnn_hw import activations, constraints, context
from qnn_hw.errors import QnnError


class TestWeightClip:
    @pytest.mark.parametrize("clip_value", [0.75, 1.0, 2.0])
    def test_clips(self, clip_value: float) -> None:
        w = np.linspace(-3, 3, 101, dtype=np.float32).reshape(1, 101)
        got = constraints.WeightClip(clip_value)(w).numpy()
        assert np.array_equal(got, np.clip(w, -clip_value, clip_value))

    @pytest.mark.parametrize("name", ["weight_clip", "WeightClip"])
    def test_get_by_name(self, name: str) -> None:
        made = constraints.get(name)
        assert isinstance(made, constraints.WeightClip)
        assert made.clip_value == 1.0

    def test_get_leaves_the_rest_to_keras(self) -> None:
        assert constraints.get(None) is None
        assert isinstance(constraints.get("max_norm"), keras.constraints.MaxNorm)
        with pytest.raises(ValueError, match="weight_clap"):
            constraints.get("weight_clap")

    def test_round_trip(self) -> None:
        again = keras.constraints.get(keras.constraints.serialize(constraints.weight_clip(0.5)))
        assert isinstance(again, constraints.WeightClip)
        assert again.clip_value == 0.5

    @pytest.mark.parametrize("clip_value", [0.0, -1.0])
    def test_refuses(self, clip_value: float) -> None:
        with pytest.raises(QnnError, match=f"WeightClip: clip_value={clip_value}; it must be positive"):
            constraints.WeightClip(clip_value)


class TestActivations:
    x = np.array([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0], np.float32)

    def test_hard_tanh(self) -> None:
        assert activations.hard_tanh(self.x).numpy().tolist() == np.clip(self.x, -1, 1).tolist()

    def test_leaky_tanh(self) -> None:
        expected = np.where(self.x > 1, 1 + 0.2 * (self.x - 1), np.where(self.x < -1, -1 + 0.2 * (self.x + 1), self.x))
        np.testing.assert_allclose(activations.leaky_tanh(self.x).numpy(), expected, rtol=1e-6)

    def test_get(self) -> None:
        assert activations.get("hard_tanh") is activations.hard_tanh
        assert activations.get("relu") is keras.activations.relu
        assert activations.get(keras.activations.serialize(activations.leaky_tanh)) is activations.leaky_tanh


class TestQuantizedScope:
    def test_nests(self) -> None:
        assert not context.should_quantize()
        with context.quantized_scope(True):
            with context.quantized_scope(False):
                assert not context.should_quantize()
            assert context.should_quantize()
        assert not context.should_quantize()

    def test_is_left_after_an_exception(self) -> None:
        with pytest.raises(RuntimeError, match="inside"), context.quantized_scope(True):
            raise RuntimeError("inside")
        assert not context.should_quantize()

    def test_belongs_to_its_thread(self) -> None:
        seen: list[bool] = []
        with context.quantized_scope(True):
            thread = threading.Thread(target=lambda: seen.append(context.should_quantize()))
            thread.start()
            thread.join()
        assert seen == [False]
