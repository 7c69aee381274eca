# SPDX-License-Identifier: Apache-2.0
"""The training loop of the zoo: Adam or Bop, a cosine schedule down to zero, cross-entropy on the scores.

Its habits, and why, are in docs/training.md. It goes on after an interruption with the same result, because nothing
depends on what a process remembers: the order of the images, and their shifts, follow from seed and epoch; weights
and optimizer are in the checkpoint.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from qnn_hw.datasets import Dataset
from qnn_hw.errors import QnnError, nearest
from qnn_hw.optimizers import Bop, CaseOptimizer
from qnn_hw.zoo import checkpoint as checkpoints
from qnn_hw.zoo import distillation
from qnn_hw.zoo.augmentation import shifted_and_mirrored
from qnn_hw.zoo.recipes import OPTIMIZERS

EVALUATION_BATCH = 500
"""Images a step when counting correct answers; bounds the memory of the convolutional networks."""

BOP_THRESHOLD = 1e-8
BOP_GAMMA = 1e-3
"""Of Bop's first step; falls to zero with the cosine, like Adam's learning rate."""

SECONDS_BETWEEN_REPORTS = 0.5
"""How often progress is told within an epoch."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Attributes:
        epoch: the one in progress, or just done, counted from 1.
        epochs: of the whole training.
        step: steps done in this epoch.
        steps: steps of an epoch.
        loss: mean so far in this epoch, in nats.
        accuracy: share of right answers so far in this epoch, 0 to 1.
        seconds_left: estimate for what remains, evaluation not included.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    seconds_left: float

    def __str__(self) -> str:
        """One line for a person."""
        minutes, seconds = divmod(round(self.seconds_left), 60)
        left = f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
        within = "" if self.step == self.steps else f", step {self.step} of {self.steps}"
        return f"epoch {self.epoch} of {self.epochs}{within}, accuracy {self.accuracy:.1%}, about {left} left"


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """What a training gave.

    Attributes:
        loss: mean loss of each epoch, in nats.
        train_accuracy: share of right answers in each epoch, counted while training.
        test_accuracy: share of right answers on the whole test part after the last epoch, 0 to 1.
        seconds: wall time, evaluation and what was done before an interruption included.
    """

    loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    test_accuracy: float
    seconds: float


def train(
    model: keras.Model,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float = 0.01,
    optimizer: str = "adam",
    augment: bool = False,
    seed: int = 0,
    teacher: keras.Model | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    tensorboard: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingHistory:
    """Train `model` on the training part of `dataset`, in place, and measure it on the test part.

    The last steps are tiny, so that the normalizations' running statistics belong to the final weights. Two runs with
    the same model, data and arguments on the same machine give the same weights, interrupted or not; for that
    TensorFlow's deterministic operations are switched on, for the whole process and for good (TensorFlow cannot switch
    them off again).

    Args:
        model: takes images as the data set holds them (0..255) and delivers one score a class, without Softmax.
        dataset: images and labels.
        epochs: passes over the training part, at least 1.
        batch_size: images a step; the last, smaller batch of an epoch is trained, too.
        learning_rate: of Adam's first step; a cosine takes it to zero at the last one.
        optimizer: "adam" for all variables, or "bop" for the binary kernels and Adam for the rest.
        augment: shift and mirror the training images at random.
        seed: of the order of the images and of their shifts. Python's, NumPy's and Keras's global generators are set
            to it.
        teacher: a trained model for the same images whose scores are learnt as well, see `qnn_hw.zoo.distillation`.
        checkpoint: file that takes the state after every epoch, see `qnn_hw.zoo.checkpoint`.
        resume: go on where `checkpoint` stands; without such a file the training starts at its beginning.
        tensorboard: folder for the log that TensorBoard shows; needs the package tensorboard.
        progress: called after each epoch, and now and then within one.

    Returns:
        The course of the training and the test accuracy.

    Raises:
        QnnError: for an argument out of range, a model or teacher that does not fit the data set, or a checkpoint of
            another training.
        OSError: if the checkpoint cannot be written.
    """
    _check_arguments(model, dataset, epochs, batch_size, learning_rate, optimizer, seed)
    started = time.perf_counter()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    targets: npt.NDArray[Any] = dataset.y_train
    loss: keras.losses.Loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metric: Any = "accuracy"
    if teacher is not None:
        n_classes = len(dataset.class_names)
        scores = distillation.teacher_scores(teacher, dataset.x_train, n_classes, EVALUATION_BATCH)
        targets = distillation.joined_targets(dataset.y_train, scores)
        loss, metric = distillation.DistillationLoss(), distillation.accuracy
    steps = -(-len(dataset.x_train) // batch_size)
    model.compile(
        optimizer=_optimizer(optimizer, learning_rate, epochs * steps),
        loss=loss,
        metrics=[metric],
        # XLA rounds differently from the mode in which the model is compared with the hardware.
        jit_compile=False,
    )
    settings = {
        "network": _digest(*(str(tuple(v.shape)).encode() for v in model.variables)),
        "dataset": dataset.name,
        "images": _digest(dataset.x_train.tobytes(), dataset.y_train.tobytes()),
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "augment": augment,
        "seed": seed,
        "teacher": None if teacher is None else _digest(targets.tobytes()),
    }
    done = checkpoints.Facts(epochs_done=0, loss=(), accuracy=(), seconds=0.0, settings=settings)
    if resume and checkpoint is not None and checkpoint.is_file():
        done = checkpoints.load(checkpoint, model, settings)
    keeper = _Keeper(done, checkpoint, started)
    callbacks: list[keras.callbacks.Callback] = [keeper]
    if tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(str(tensorboard), write_graph=False))
    if progress is not None:
        callbacks.append(_Reporter(progress, steps))
    if done.epochs_done < epochs:
        model.fit(
            _batches(dataset.x_train, targets, range(done.epochs_done, epochs), batch_size, augment, seed),
            steps_per_epoch=steps,
            shuffle=False,
            initial_epoch=done.epochs_done,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
        )
    guesses = model.predict(dataset.x_test, batch_size=EVALUATION_BATCH, verbose=0)
    return TrainingHistory(
        loss=keeper.facts.loss,
        train_accuracy=keeper.facts.accuracy,
        test_accuracy=float(np.mean(np.argmax(guesses, axis=-1) == dataset.y_test)),
        seconds=done.seconds + time.perf_counter() - started,
    )


def _check_arguments(
    model: keras.Model,
    dataset: Dataset,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    optimizer: str,
    seed: int,
) -> None:
    if epochs < 1 or batch_size < 1:
        raise QnnError(f"train: epochs={epochs}, batch_size={batch_size}; both must be at least 1.")
    if not 0.0 < learning_rate < float("inf"):
        raise QnnError(f"train: learning_rate={learning_rate}; it must be a positive number.")
    if not 0 <= seed < 2**32:
        raise QnnError(f"train: seed={seed}; it must be from 0 to 4294967295.")
    if optimizer not in OPTIMIZERS:
        raise QnnError(f'train: optimizer "{optimizer}" is unknown; nearest: {nearest(optimizer, OPTIMIZERS)}.')
    n_classes = len(dataset.class_names)
    if tuple(model.input_shape[1:]) != dataset.x_train.shape[1:] or tuple(model.output_shape[1:]) != (n_classes,):
        raise QnnError(
            f"train: model {model.name} maps {tuple(model.input_shape[1:])} to {tuple(model.output_shape[1:])}, but "
            f'"{dataset.name}" has images {dataset.x_train.shape[1:]} and {n_classes} classes; they must agree.'
        )


def _optimizer(name: str, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Optimizer for a training of `steps` steps."""
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    if name == "adam":
        return adam
    bop = Bop(threshold=BOP_THRESHOLD, gamma=keras.optimizers.schedules.CosineDecay(BOP_GAMMA, steps))
    return CaseOptimizer((Bop.is_binary_variable, bop), default_optimizer=adam)


def _batches(
    images: npt.NDArray[np.uint8],
    targets: npt.NDArray[Any],
    epochs: range,
    batch_size: int,
    augment: bool,
    seed: int,
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]]:
    """Batches of all `epochs`, one behind the other; each epoch has a generator of its own."""
    for epoch in epochs:
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(len(images))
        for first in range(0, len(images), batch_size):
            chosen = order[first : first + batch_size]
            batch = images[chosen]
            yield shifted_and_mirrored(batch, generator) if augment else batch, targets[chosen]


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


class _Keeper(keras.callbacks.Callback):
    """Collects what each epoch gave, and writes the checkpoint."""

    def __init__(self, facts: checkpoints.Facts, file: Path | None, started: float) -> None:
        super().__init__()
        self.facts = facts
        self._file, self._started, self._seconds_before = file, started, facts.seconds

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        logs = logs or {}
        self.facts = replace(
            self.facts,
            epochs_done=epoch + 1,
            loss=(*self.facts.loss, float(logs["loss"])),
            accuracy=(*self.facts.accuracy, float(logs["accuracy"])),
            seconds=self._seconds_before + time.perf_counter() - self._started,
        )
        if self._file is not None:
            checkpoints.save(self._file, self.model, self.facts)


class _Reporter(keras.callbacks.Callback):
    """Tells a function how far the training is: after each epoch, and within it every now and then."""

    def __init__(self, report: Callable[[Progress], None], steps: int) -> None:
        super().__init__()
        self._report, self._steps = report, steps
        self._epoch = self._steps_timed = 0
        self._first_step_done = self._last_report = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        now = time.perf_counter()
        if not self._first_step_done:  # it takes seconds, in which TensorFlow builds its graph
            self._first_step_done = self._last_report = now
            return
        self._steps_timed += 1
        if now - self._last_report >= SECONDS_BETWEEN_REPORTS and batch + 1 < self._steps:
            self._tell(batch + 1, logs or {}, now)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        self._tell(self._steps, logs or {}, time.perf_counter())

    def _tell(self, step: int, logs: dict[str, float], now: float) -> None:
        self._last_report = now
        epochs = self.params["epochs"]
        remaining = (epochs - self._epoch) * self._steps - step
        a_step = (now - self._first_step_done) / max(self._steps_timed, 1)
        self._report(
            Progress(
                epoch=self._epoch + 1,
                epochs=epochs,
                step=step,
                steps=self._steps,
                loss=float(logs["loss"]),
                accuracy=float(logs["accuracy"]),
                seconds_left=a_step * remaining,
            )
        )
