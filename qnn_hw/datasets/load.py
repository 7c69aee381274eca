# SPDX-License-Identifier: Apache-2.0
"""`load(name)`: one data set by name, split into training and test part."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError

DIGITS_SPLIT_SEED = 20_240_101
"""Seed of the split of "digits"; fixed, so that accuracies compare."""

DIGITS_TEST_SHARE = 0.2

_DECIMAL_DIGITS = tuple("0123456789")
_CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_NPZ_SETS: dict[str, tuple[tuple[int, int, int], tuple[str, ...]]] = {
    "mnist": ((28, 28, 1), _DECIMAL_DIGITS),
    "cifar10": ((32, 32, 3), _CIFAR10_CLASSES),
}
"""Sets kept as `.npz`: image shape (height, width, channels) and class names."""

DATASET_NAMES: tuple[str, ...] = ("digits", *_NPZ_SETS)
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
    """

    x_train: npt.NDArray[np.uint8]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.uint8]
    y_test: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    name: str


def load(name: str, path: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set; see the table in `qnn_hw.datasets`.

    Args:
        name: "digits", "mnist" or "cifar10".
        path: `.npz` file with `x_train`, `y_train`, `x_test`, `y_test` (uint8 images, integer labels). Without it the
            file `datasets/NAME.npz` in Keras's home folder (`KERAS_HOME`, else `~/.keras`) is read. Not for "digits".

    Returns:
        The data set, always in the same order and with the same split.

    Raises:
        QnnError: for an unknown name, a missing file or package, or a file that does not hold such a set.
    """
    if name == "digits":
        if path is not None:
            raise QnnError(f'dataset "digits": path={os.fspath(path)} given, but this set is embedded; leave it out.')
        return _load_digits()
    if name not in _NPZ_SETS:
        raise QnnError(f'dataset "{name}" is unknown; allowed are {", ".join(DATASET_NAMES)}.')
    return _load_npz(name, _cache_file(name) if path is None else Path(path))


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


def _cache_file(name: str) -> Path:
    """Where Keras keeps its downloads."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets" / f"{name}.npz"


def _load_npz(name: str, file: Path) -> Dataset:
    """Read and check one of `_NPZ_SETS` from `file`."""
    image_shape, class_names = _NPZ_SETS[name]
    keys = ("x_train", "y_train", "x_test", "y_test")
    if not file.is_file():
        raise QnnError(
            f'dataset "{name}": no file {file}; give path=FILE.npz with the arrays {", ".join(keys)}, or save what '
            f"keras.datasets.{name}.load_data() returns there with numpy.savez_compressed."
        )
    try:
        with np.load(file, allow_pickle=False) as stored:
            missing = [key for key in keys if key not in stored]
            if missing:
                raise QnnError(
                    f'dataset "{name}": {file} lacks {", ".join(missing)}, it holds {", ".join(stored.files)}; '
                    f"the arrays must be {', '.join(keys)}."
                )
            arrays = {key: stored[key] for key in keys}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise QnnError(
            f'dataset "{name}": {file} cannot be read as .npz ({error}); write it with numpy.savez.'
        ) from error
    parts = {}
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1)
        if images.dtype != np.uint8 or images.size != len(labels) * int(np.prod(image_shape)):
            raise QnnError(
                f'dataset "{name}": {file} holds x_{part} {images.dtype} {images.shape} and {len(labels)} labels; '
                f"expected uint8 (n, {', '.join(map(str, image_shape))}) and n labels."
            )
        if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= len(class_names):
            raise QnnError(
                f'dataset "{name}": {file} holds y_{part} {labels.dtype} with values {labels.min()} to {labels.max()}; '
                f"expected integers from 0 to {len(class_names) - 1}."
            )
        parts[f"x_{part}"] = images.reshape(len(labels), *image_shape)
        parts[f"y_{part}"] = labels.astype(np.int64)
    return Dataset(**parts, class_names=class_names, name=name)
