# SPDX-License-Identifier: Apache-2.0
"""Reads image sets from files, in every form they are found in.

| form | what it is | for |
| --- | --- | --- |
| `FILE.npz` | arrays `x_train, y_train, x_test, y_test`: uint8 images, integer labels | all |
| `FILE.npz` | `train_jpeg` (bytes, JPEG behind JPEG), `train_offsets` (n+1), `train_labels`, `test_...` | all |
| folder | `train-images-idx3-ubyte.gz`, `train-labels-idx1-ubyte.gz`, `t10k-...`; unpacked files as well | the MNISTs |
| folder | `data_batch_1` to `_5` and `test_batch`: the "Python version" of CIFAR-10, which Keras keeps | cifar10 |

The JPEG form needs Pillow. JPEG is lossy: the set that it gives is a re-encoded one, and says so in its `remark`.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
JPEG_ARRAYS = tuple(f"{part}_{key}" for part in ("train", "test") for key in ("jpeg", "offsets", "labels"))
JPEG_REMARK = "images re-encoded as JPEG, which is lossy"

IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_IDX_UINT8 = 0x08
_CIFAR10_TRAINING_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What a file or folder holds, checked.

    Attributes:
        x_train, x_test: uint8 (n, height, width, channels).
        y_train, y_test: int64 (n,), class index.
        remark: as in `Dataset`.
    """

    x_train: npt.NDArray[np.uint8]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.uint8]
    y_test: npt.NDArray[np.int64]
    remark: str


def forms(name: str) -> str:
    """What may be given for the set `name`, as a phrase for messages."""
    if name == "cifar10":
        return f"an .npz file with the arrays {', '.join(ARRAYS)}, or the folder cifar-10-batches-py"
    return f"an .npz file with the arrays {', '.join(ARRAYS)}, or the folder of the four -ubyte.gz files"


def read(name: str, place: Path, image_shape: tuple[int, int, int], n_classes: int) -> Stored:
    """Read and check the set `name`.

    Args:
        name: of the set, for messages and to know its folders.
        place: existing file or folder.
        image_shape: height, width, channels; stored images may lack the last axis if it is 1.
        n_classes: labels run from 0 to one less.

    Raises:
        QnnError: for content that is not in one of the forms above, or Pillow missing.
    """
    remark = ""
    if place.is_dir():
        arrays = _read_cifar10_batches(name, place) if name == "cifar10" else _read_idx(name, place)
    else:
        arrays, remark = _read_npz(name, place, image_shape)
    parts: Arrays = {}
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1)
        fits = images.shape[1:] in (image_shape, *([image_shape[:2]] if image_shape[2] == 1 else []))
        if images.dtype != np.uint8 or not fits or len(images) != len(labels) or not len(labels):
            raise QnnError(
                f'dataset "{name}": {place} holds x_{part} {images.dtype} {images.shape} and {len(labels)} labels; '
                f"expected uint8 (n, {', '.join(map(str, image_shape))}) and n labels."
            )
        if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= n_classes:
            raise QnnError(
                f'dataset "{name}": {place} holds y_{part} {labels.dtype} with values {labels.min()} to '
                f"{labels.max()}; expected integers from 0 to {n_classes - 1}."
            )
        parts[f"x_{part}"] = images.reshape(len(labels), *image_shape)
        parts[f"y_{part}"] = labels.astype(np.int64)
    return Stored(**parts, remark=remark)


def _read_npz(name: str, file: Path, image_shape: tuple[int, int, int]) -> tuple[Arrays, str]:
    """Arrays of a `.npz` file in either form, and the remark."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if isinstance(stored, np.ndarray):
                raise ValueError("one array, no archive of several")
            keys = JPEG_ARRAYS if set(JPEG_ARRAYS) & set(stored.files) else ARRAYS
            missing = [key for key in keys if key not in stored]
            if missing:
                raise QnnError(
                    f'dataset "{name}": {file} lacks {", ".join(missing)}, it holds {", ".join(stored.files)}; '
                    f"the arrays must be {', '.join(keys)}."
                )
            arrays = {key: stored[key] for key in keys}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise QnnError(
            f'dataset "{name}": {file} cannot be read as .npz ({error}); write it with numpy.savez.'
        ) from error
    if keys is ARRAYS:
        return arrays, ""
    decode = _jpeg_decoder(name, file)
    return {
        f"{axis}_{part}": value
        for part in ("train", "test")
        for axis, value in (
            ("x", _decode_jpeg(name, file, part, arrays, image_shape, decode)),
            ("y", arrays[f"{part}_labels"]),
        )
    }, JPEG_REMARK


def _jpeg_decoder(name: str, file: Path) -> Callable[[bytes], npt.NDArray[np.uint8]]:
    """Function from the bytes of one JPEG to (height, width, 3)."""
    try:
        from PIL import Image
    except ImportError as error:
        raise QnnError(
            f'dataset "{name}": {file} holds JPEG images, and Pillow, which decodes them, is not installed; '
            "pip install pillow."
        ) from error
    return lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _decode_jpeg(
    name: str,
    file: Path,
    part: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    image_shape: tuple[int, int, int],
    decode: Callable[[bytes], npt.NDArray[np.uint8]],
) -> npt.NDArray[np.uint8]:
    """Images of `part`, (n, *image_shape)."""
    stream, offsets = arrays[f"{part}_jpeg"], arrays[f"{part}_offsets"]
    images = np.zeros((max(len(offsets) - 1, 0), *image_shape), np.uint8)
    for i in range(len(images)):
        try:
            image = decode(stream[offsets[i] : offsets[i + 1]].tobytes())
        except (OSError, TypeError, IndexError) as error:
            raise QnnError(
                f'dataset "{name}": {file} holds no JPEG as image {i} of {part}_jpeg; check {part}_offsets.'
            ) from error
        if image_shape[2] == 1:
            image = image[..., :1]
        if image.shape != image_shape:
            raise QnnError(
                f'dataset "{name}": {file} holds image {i} of {part}_jpeg with shape {image.shape}; '
                f"expected {image_shape}."
            )
        images[i] = image
    return images


def _read_idx(name: str, folder: Path) -> Arrays:
    """The four files of an MNIST in `folder`, packed or not."""
    arrays = {}
    for key, stem in IDX_FILES.items():
        found = next((path for path in (folder / f"{stem}.gz", folder / stem) if path.is_file()), None)
        if found is None:
            raise QnnError(
                f'dataset "{name}": {folder} has no {stem}.gz; the four files are '
                f"{', '.join(f'{file}.gz' for file in IDX_FILES.values())}."
            )
        try:
            data = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
            arrays[key] = _parse_idx(data)
        except (OSError, EOFError, ValueError) as error:
            raise QnnError(
                f'dataset "{name}": {found} cannot be read as an IDX file ({error}); get it again.'
            ) from error
    return arrays


def _parse_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """Array of an IDX file: two zeros, type, number of axes, each axis as big-endian uint32, then the elements.

    Source: Y. LeCun, "The MNIST database", section "File formats".
    """
    if len(data) < 4 or data[0] or data[1] or data[2] != _IDX_UINT8:
        raise ValueError("it does not start with 00 00 08, which stands for unsigned bytes")
    start = 4 + 4 * data[3]
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], ">u4"))
    if len(data) - start != np.prod(shape, dtype=np.int64):
        raise ValueError(f"{len(data) - start} bytes for shape {shape}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_cifar10_batches(name: str, folder: Path) -> Arrays:
    """The six pickled batches of CIFAR-10's "Python version" in `folder`."""
    batches = {}
    for stem in (*_CIFAR10_TRAINING_BATCHES, "test_batch"):
        try:
            batches[stem] = _parse_cifar10_batch((folder / stem).read_bytes())
        except FileNotFoundError as error:
            raise QnnError(
                f'dataset "{name}": {folder} has no {stem}; the files are data_batch_1 to data_batch_5 and test_batch.'
            ) from error
        except Exception as error:  # a damaged pickle raises whatever it happens to ask for
            raise QnnError(
                f'dataset "{name}": {folder / stem} cannot be read as a batch of CIFAR-10 ({error}); get it again.'
            ) from error
    training = [batches[stem] for stem in _CIFAR10_TRAINING_BATCHES]
    return {
        "x_train": np.concatenate([images for images, _ in training]),
        "y_train": np.concatenate([labels for _, labels in training]),
        "x_test": batches["test_batch"][0],
        "y_test": batches["test_batch"][1],
    }


def _parse_cifar10_batch(data: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (n, 32, 32, 3) and labels (n,); in the file each image is 1024 red bytes, then green, then blue."""
    batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
    images = np.asarray(batch[b"data"]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.asarray(batch[b"labels"], np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Reads NumPy arrays and plain values; a pickle that names anything else could run code of its own."""

    _KNOWN = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """Called by the unpickler for everything that is looked up by name."""
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no image set needs")
        # NumPy 2 moved the module that old files name.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)
