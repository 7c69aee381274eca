# SPDX-License-Identifier: Apache-2.0
"""BatchNormalization with TensorFlow's fused kernel in training: Keras 3 computes it from single operations.

Measured by `benchmarks/training_cost.py`, which trains the same network with both.
"""

from typing import Any

import keras
from keras import ops

__all__ = ["BatchNormalization"]


@keras.saving.register_keras_serializable("qnn_hw")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster in training on TensorFlow.

    Inference is Keras's own, bit for bit, so that the compiler sees no difference. In training, mean, variance and
    result are those of Keras up to float32 rounding (the sums run in another order). The fused kernel takes float32
    inputs normalized over the last axis without a mask; everything else, and every other backend, goes Keras's way.

    Args: those of `keras.layers.BatchNormalization`.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize; see the class."""
        if not (training and self._is_fusible(inputs, mask)):
            return super().call(inputs, training=training, mask=mask)
        return self._fused(inputs)

    def _is_fusible(self, inputs: Any, mask: Any) -> bool:
        return (
            keras.backend.backend() == "tensorflow"
            and self.trainable
            and mask is None
            and not self.synchronized
            and self.axis in (-1, len(inputs.shape) - 1)
            and keras.backend.standardize_dtype(inputs.dtype) == "float32"
            and inputs.shape[-1] is not None
        )

    def _fused(self, inputs: Any) -> Any:
        import tensorflow as tf

        channels = inputs.shape[-1]
        x = inputs if len(inputs.shape) == 4 else ops.reshape(inputs, (-1, 1, 1, channels))
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            ops.convert_to_tensor(self.gamma) if self.scale else ops.ones((channels,)),
            ops.convert_to_tensor(self.beta) if self.center else ops.zeros((channels,)),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel reports the unbiased variance; Keras averages the biased one.
        count = ops.cast(ops.prod(ops.shape(x)[:3]), "float32")
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance * ((count - 1.0) / count))
        return y if len(inputs.shape) == 4 else ops.reshape(y, ops.shape(inputs))

    def _move(self, variable: Any, value: Any) -> None:
        variable.assign(variable * self.momentum + ops.cast(value, variable.dtype) * (1.0 - self.momentum))
