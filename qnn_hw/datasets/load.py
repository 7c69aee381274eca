# SPDX-License-Identifier: Apache-2.0
"""`load(name)`: one data set by name, split into training and test part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qnn_hw.datasets import files
from qnn_hw.errors import QnnError, nearest

DIGITS_SPLIT_SEED = 20_240_101
"""Seed of the split of "digits"; fixed, so that accuracies compare."""

DIGITS_TEST_SHARE = 0.2

_DECIMAL_DIGITS = tuple("0123456789")
_CLOTHES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True, slots=True)
class FileSet:
    """A data set that is kept in files.

    Attributes:
        image_shape: height, width, channels.
        class_names: in the order of the class index.
        cached: where Keras keeps it, below its folder `datasets`; the first that exists is read.
        keras_module: of `keras.datasets`, whose `load_data()` puts it there.
    """

    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    cached: tuple[str, ...]
    keras_module: str


FILE_SETS: dict[str, FileSet] = {
    "mnist": FileSet((28, 28, 1), _DECIMAL_DIGITS, ("mnist.npz",), "mnist"),
    "fashion-mnist": FileSet((28, 28, 1), _CLOTHES, ("fashion-mnist", "fashion-mnist.npz"), "fashion_mnist"),
    "cifar10": FileSet(
        (32, 32, 3),
        _CIFAR10_CLASSES,
        ("cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py", "cifar10.npz"),
        "cifar10",
    ),
}

DATASET_NAMES: tuple[str, ...] = ("digits", *FILE_SETS)
"""Names that `load` knows."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images and labels, training and test part.

    Attributes:
        x_train: uint8 (n_train, height, width, channels), 0 to 255.
        y_train: int64 (n_train,), class index.
        x_test: uint8 (n_test, height, width, channels).
        y_test: int64 (n_test,).
        class_names: one text a class, in the order of the class index.
        name: name that `load` was given.
        remark: what has to be said when results on it are quoted, empty for the original images.
    """

    x_train: npt.NDArray[np.uint8]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.uint8]
    y_test: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    name: str
    remark: str = ""


def load(name: str, path: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set; see the table in `qnn_hw.datasets`.

    Args:
        name: one of `DATASET_NAMES`.
        path: file or folder in one of the forms listed in `qnn_hw.datasets.files`. Without it what Keras has in its
            cache is read: the folder `datasets` in its home (`KERAS_HOME`, else `~/.keras`). Not for "digits".

    Returns:
        The data set, always in the same order and with the same split.

    Raises:
        QnnError: for an unknown name, a missing file or package, or a file that does not hold such a set.
    """
    place = find(name, path)
    if place is None:
        return _load_digits()
    described = FILE_SETS[name]
    stored = files.read(name, place, described.image_shape, len(described.class_names))
    return Dataset(
        *(stored.x_train, stored.y_train, stored.x_test, stored.y_test),
        class_names=described.class_names,
        name=name,
        remark=stored.remark,
    )


def find(name: str, path: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the file or folder that `load` with the same arguments reads, without reading it; None for "digits".

    Raises:
        QnnError: for an unknown name, or where there is nothing.
    """
    if name not in DATASET_NAMES:
        raise QnnError(
            f'dataset "{name}" is unknown; nearest: {nearest(name, DATASET_NAMES)}; allowed are '
            f"{', '.join(DATASET_NAMES)}."
        )
    if name == "digits":
        if path is not None:
            raise QnnError(f'dataset "digits": path={os.fspath(path)} given, but this set is embedded; leave it out.')
        return None
    described, forms = FILE_SETS[name], files.forms(name)
    if path is not None:
        if not Path(path).exists():
            raise QnnError(f'dataset "{name}": no file or folder {os.fspath(path)}; give {forms}.')
        return Path(path)
    places = [_keras_cache() / place for place in described.cached]
    for place in places:
        if place.exists():
            return place
    raise QnnError(
        f'dataset "{name}": not in Keras\'s cache, looked for {", ".join(map(str, places))}; give its path '
        f"({forms}), or call keras.datasets.{described.keras_module}.load_data() once where there is a network."
    )


def _keras_cache() -> Path:
    """Where Keras keeps its downloads."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _load_digits() -> Dataset:
    """scikit-learn's digits (its grey levels 0..16 times 15 are 0..240, so uint8 like all others), split per class."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise QnnError(
            'dataset "digits" comes with scikit-learn, which is not installed; pip install scikit-learn.'
        ) from error
    bunch = load_digits()
    images = (bunch.images.astype(np.uint8) * 15)[..., np.newaxis]
    labels = bunch.target.astype(np.int64)
    test = _stratified_test_indices(labels, DIGITS_TEST_SHARE, DIGITS_SPLIT_SEED)
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[test] = True
    return Dataset(
        x_train=images[~is_test],
        y_train=labels[~is_test],
        x_test=images[is_test],
        y_test=labels[is_test],
        class_names=_DECIMAL_DIGITS,
        name="digits",
    )


def _stratified_test_indices(labels: npt.NDArray[np.int64], share: float, seed: int) -> npt.NDArray[np.intp]:
    """Sorted indices of a random `share` of each class."""
    generator = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen.append(generator.permutation(members)[: round(share * len(members))])
    return np.sort(np.concatenate(chosen))
