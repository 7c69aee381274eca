# SPDX-License-Identifier: Apache-2.0
"""Knowledge distillation: the network also learns how likely a trained teacher holds each class.

    loss = (1 - w) * CE(label, softmax(s)) + w * T^2 * CE(softmax(t / T), softmax(s / T))

s are the student's scores, t the teacher's, CE is the cross-entropy in nats; T^2 keeps the size of the second
gradient independent of T.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from qnn_hw.errors import QnnError

TEACHER_WEIGHT = 0.5
"""w in the formula."""

TEMPERATURE = 4.0
"""T in the formula."""

_SMALLEST_PROBABILITY = 1e-7


def teacher_scores(
    teacher: keras.Model, images: npt.NDArray[np.uint8], n_classes: int, batch_size: int
) -> npt.NDArray[np.float32]:
    """Scores (n, n_classes) of the teacher for `images`, up to a constant an image.

    A teacher that delivers probabilities (rows that sum to 1) is understood: their logarithms are scores.

    Raises:
        QnnError: if the teacher takes other images, or does not deliver one number a class.
    """
    takes, gives = tuple(teacher.input_shape[1:]), tuple(teacher.output_shape[1:])
    if takes != images.shape[1:] or gives != (n_classes,):
        raise QnnError(
            f"teacher {teacher.name}: maps {takes} to {gives}; for these images it must map {images.shape[1:]}, values "
            f"0 to 255, to {(n_classes,)}."
        )
    scores = np.asarray(teacher.predict(images, batch_size=batch_size, verbose=0), np.float32)
    if scores.min() >= 0.0 and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3):
        scores = np.log(np.maximum(scores, _SMALLEST_PROBABILITY))
    return scores


def joined_targets(labels: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, 1 + n_classes): the label, then the teacher's scores, as `DistillationLoss` takes them."""
    return np.concatenate([labels[:, None].astype(np.float32), scores], axis=1)


class DistillationLoss(keras.losses.Loss):
    """The loss above, for targets made by `joined_targets`."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(n,) losses of scores `y_pred` (n, n_classes)."""
        labels, taught = ops.cast(y_true[:, 0], "int32"), ops.softmax(y_true[:, 1:] / TEMPERATURE)
        of_labels = keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        of_teacher = keras.losses.categorical_crossentropy(taught, y_pred / TEMPERATURE, from_logits=True)
        return (1.0 - TEACHER_WEIGHT) * of_labels + TEACHER_WEIGHT * TEMPERATURE**2 * of_teacher


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the highest score is the label's, else 0; targets as for `DistillationLoss`, for `compile(metrics=)`."""
    return ops.cast(ops.equal(ops.argmax(y_pred, axis=-1), ops.cast(y_true[:, 0], "int32")), "float32")
