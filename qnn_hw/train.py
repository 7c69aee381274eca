# SPDX-License-Identifier: Apache-2.0
"""`qnn-hw train`: train a network of the zoo by its recipe and write it as a `.keras` file."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qnn_hw.errors import QnnError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_ROOM_BYTES = 65_536
"""Free bytes below which a write that failed without a reason failed for want of room."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; `None` is what the recipe says.

    Attributes:
        dataset: name of a data set.
        data: its file or folder, None for Keras's cache.
        model: name of a network, None for the first whose recipe names the data set.
        epochs, batch_size, learning_rate: as in `qnn_hw.zoo.Recipe`.
        optimizer: "adam" or "bop".
        seed: of initial weights and order of images.
        out: `.keras` file to write, None for `<model>.keras`.
        resume: go on with an interrupted training.
        teacher: `.keras` file of a teacher, None for none.
        tensorboard: folder for TensorBoard's log, None for none.
    """

    dataset: str
    data: Path | None = None
    model: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: str = "adam"
    seed: int = 0
    out: Path | None = None
    resume: bool = False
    teacher: Path | None = None
    tensorboard: Path | None = None

    @property
    def network(self) -> str:
        """Name of the network; only valid after `check`."""
        return self.model or _networks_for(self.dataset)[0]

    @property
    def target(self) -> Path:
        """File to write."""
        return self.out or Path(f"{self.network}.keras")

    @property
    def checkpoint(self) -> Path:
        """File beside it that holds the state while the training runs."""
        return self.target.with_suffix(".checkpoint.npz")


def check(request: Request) -> None:
    """Refuse what can be refused without loading TensorFlow or any image.

    Raises:
        QnnError: for unknown names, a network for other images, missing files or packages, an output that cannot be,
            or an interrupted training that would be lost.
    """
    from qnn_hw.datasets import find
    from qnn_hw.frontends.model_file import check_model_file
    from qnn_hw.zoo.recipes import OPTIMIZERS, RECIPES

    find(request.dataset, request.data)
    if request.model is not None and request.model not in RECIPES:
        raise QnnError(
            f"--model {request.model}: no such network; nearest: {nearest(request.model, list(RECIPES))}; there are "
            f"{', '.join(RECIPES)}"
        )
    if request.network not in _networks_for(request.dataset):
        raise QnnError(
            f"--model {request.network}: takes the images of {', '.join(RECIPES[request.network].datasets)}, not of "
            f"{request.dataset}; for these there are {', '.join(_networks_for(request.dataset))}"
        )
    if request.optimizer not in OPTIMIZERS:
        raise QnnError(f"--optimizer {request.optimizer}: choose one of {', '.join(OPTIMIZERS)}")
    if request.learning_rate is not None and not 0 < request.learning_rate < float("inf"):
        raise QnnError(f"--learning-rate {request.learning_rate:g}: give a positive number")
    if request.target.suffix != ".keras":
        raise QnnError(f"--out {request.target}: the name of a Keras model must end in .keras")
    if request.target.is_dir():
        raise QnnError(f"--out {request.target}: is a folder; give the name of a file")
    above = next(parent for parent in request.target.absolute().parents if parent.exists())
    if not above.is_dir():
        raise QnnError(f"--out {request.target}: {above} is no folder")
    if request.teacher is not None:
        check_model_file(request.teacher)
        if request.teacher.resolve() == request.target.resolve():
            raise QnnError(f"--out {request.target}: is the teacher; give another name")
    if request.tensorboard is not None and importlib.util.find_spec("tensorboard") is None:
        raise QnnError("--tensorboard: TensorBoard is not installed; pip install tensorboard")
    if request.checkpoint.exists() and not request.resume:
        raise QnnError(
            f"{request.checkpoint}: an interrupted training is kept there; go on with --resume, or delete it to start "
            "afresh"
        )


def run_training(request: Request, say: Callable[[str], None]) -> dict[str, Any]:
    """Train, write the model, and return the facts.

    The model file is written at the end, at once; after each epoch the state goes to `request.checkpoint`, which is
    deleted when the model is written.

    Args:
        request: passed by `check`.
        say: called with a sentence as the training goes on.

    Raises:
        QnnError: as `check`, for a data set or teacher that does not fit, or a full disk.
        KeyboardInterrupt: when interrupted; the sentence on how to go on has then been printed.
    """
    from qnn_hw import zoo
    from qnn_hw.datasets import load
    from qnn_hw.frontends.keras import load_model
    from qnn_hw.zoo.checkpoint import replace_file

    name = request.network
    recipe = zoo.RECIPES[name]
    say(f"reading {request.dataset}")
    data = load(request.dataset, request.data)
    teacher = None if request.teacher is None else load_model(request.teacher)
    settings: dict[str, Any] = {
        "epochs": recipe.epochs if request.epochs is None else request.epochs,
        "batch_size": recipe.batch_size if request.batch_size is None else request.batch_size,
        "learning_rate": recipe.learning_rate if request.learning_rate is None else request.learning_rate,
        "optimizer": request.optimizer,
        "augment": recipe.augment,
        "seed": request.seed,
    }
    build = getattr(zoo, name)
    model = build(seed=request.seed)
    with _disk_errors(request.target):
        # A folder that cannot be written is found out now, not after the first epoch.
        request.target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=request.target.parent):
            pass
        try:
            history = zoo.train(
                model,
                data,
                **settings,
                teacher=teacher,
                checkpoint=request.checkpoint,
                resume=request.resume,
                tensorboard=request.tensorboard,
                progress=lambda progress: say(f"{name}: {progress}"),
            )
        except KeyboardInterrupt:
            if request.checkpoint.exists():
                print(
                    f"qnn-hw: {request.checkpoint} holds the state; the same command with --resume goes on",
                    file=sys.stderr,
                )
            raise
        # A fresh copy: without the optimizer's state the file is a third as large.
        trained = build(seed=request.seed)
        trained.set_weights(model.get_weights())
        replace_file(request.target, trained.save)
        request.checkpoint.unlink(missing_ok=True)
    return {
        "model": name,
        "written": str(request.target),
        "dataset": request.dataset,
        "remark": data.remark,
        **settings,
        "teacher": None if request.teacher is None else str(request.teacher),
        "test_images": len(data.x_test),
        "test_accuracy": history.test_accuracy,
        "train_accuracy": list(history.train_accuracy),
        "loss": list(history.loss),
        "seconds": round(history.seconds, 1),
    }


def sentences(facts: dict[str, Any]) -> str:
    """What a person wants to know of the facts that `run_training` returns."""
    minutes, seconds = divmod(round(facts["seconds"]), 60)
    took = f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
    lines = [
        f"{facts['model']} on {facts['dataset']}: {facts['test_accuracy']:.2%} of {facts['test_images']:,} "
        f"test images, {facts['epochs']} {'epoch' if facts['epochs'] == 1 else 'epochs'}, {took}",
        f"written: {facts['written']}",
    ]
    if facts["remark"]:
        lines.insert(1, f"note: {facts['remark']}")
    return "\n".join(lines)


def _networks_for(dataset: str) -> list[str]:
    from qnn_hw.zoo.recipes import RECIPES

    return [name for name, recipe in RECIPES.items() if dataset in recipe.datasets]


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Say in one sentence why `target` or its checkpoint cannot be written."""
    try:
        yield
    except OSError as error:
        folder = next(parent for parent in target.absolute().parents if parent.exists())
        # HDF5 and NumPy report a short write without an error number.
        no_room = error.errno is None and shutil.disk_usage(folder).free < _NO_ROOM_BYTES
        if no_room or error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise QnnError(
                f"{target}: the disk is full; an earlier model and checkpoint are as they were, free some space and "
                "repeat with --resume"
            ) from None
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise QnnError(f"{target}: cannot be written: {reason}") from None
