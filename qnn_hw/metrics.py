# SPDX-License-Identifier: Apache-2.0
"""Metrics of a training with quantized weights.

`FlipRatio` tells how many quantized weights change from step to step: far too many and the training does not settle,
none at all and it has come to rest. The quantizers feed it themselves; these two give the same:

    QuantDense(64, kernel_quantizer=SteSign(metrics=["flip_ratio"]))

    with metrics_scope(["flip_ratio"]):
        QuantDense(64, kernel_quantizer="ste_sign")

The scope needs no change of the layers and covers a whole model. Each kernel's figure then appears in what `fit` logs,
as "flip_ratio/<name of the quantizer>". On the JAX backend Keras drops what a metric records inside a model's `call`:
there add `qnn_hw.callbacks.KernelMetrics()` to the callbacks, which records after each step instead.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from qnn_hw.errors import QnnError

__all__ = ["FlipRatio"]


@keras.saving.register_keras_serializable("qnn_hw")
class FlipRatio(keras.metrics.Metric):
    """Mean share of values that differ from one update to the next.

        result = mean over the updates i >= 2 of  |{j : v_i[j] != v_(i-1)[j]}| / number of values

    The first update has nothing to be compared with and does not count; it is 0 before the second. `reset_state`
    starts anew: the first update after it does not count either.

    Args:
        values_dtype: type in which the values are kept and compared. "int8" is right for +-1, 0 and integer codes, and
            a quarter of a float's memory; fractions need a float type.
        name: name in the logs.
        dtype: type of the result.
    """

    def __init__(self, values_dtype: str = "int8", name: str = "flip_ratio", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.values_dtype = keras.backend.standardize_dtype(values_dtype)
        self.built = False

    def build(self, shape: Any) -> None:
        """Make the state for values of `shape`, all axes known.

        Called by the first `update_state` as well; call it yourself where that one runs in a compiled function.

        Raises:
            QnnError: if an axis is unknown.
        """
        shape = tuple(shape)
        if None in shape:
            raise QnnError(f"{self.name}: values of shape {shape}; every axis must be known, as it is for weights.")
        self._total = self.add_variable((), "zeros", dtype=self.dtype, name="total")
        self._count = self.add_variable((), "zeros", dtype=self.dtype, name="count")
        # 0 until there is something to compare with. Separate from `_count`, so that replicas may be added up.
        self._comparable = self.add_variable((), "zeros", dtype=self.dtype, name="comparable")
        self._previous = self.add_variable(shape, "zeros", dtype=self.values_dtype, name="previous")
        self.built = True

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Compare `values`, a tensor of any but always the same shape, with those of the update before.

        Args:
            values: quantized values.
            sample_weight: not used; every value counts the same.

        Raises:
            QnnError: if the shape is not that of the first update.
        """
        values = ops.cast(values, self.values_dtype)
        if not self.built:
            self.build(values.shape)
        if tuple(values.shape) != tuple(self._previous.shape):
            raise QnnError(
                f"{self.name}: values of shape {tuple(values.shape)} after {tuple(self._previous.shape)}; "
                "use one metric a tensor."
            )
        changed = ops.mean(ops.cast(ops.not_equal(values, self._previous), self.dtype))
        self._total.assign_add(changed * self._comparable)
        self._count.assign_add(self._comparable)
        self._comparable.assign(ops.ones((), self.dtype))
        self._previous.assign(values)

    def result(self) -> Any:
        """Scalar between 0 and 1."""
        if not self.built:
            return ops.zeros((), self.dtype)
        return self._total / ops.maximum(self._count, ops.ones((), self.dtype))

    def reset_state(self) -> None:
        """Forget everything; the values last seen stay in memory, but are not compared with."""
        if self.built:
            for variable in (self._total, self._count, self._comparable):
                variable.assign(ops.zeros((), self.dtype))

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "values_dtype": self.values_dtype}
