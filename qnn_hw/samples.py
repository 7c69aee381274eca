# SPDX-License-Identifier: Apache-2.0
"""Samples a user gives, from memory or from `FILE.npz[:x,y]`, and the random ones used without any."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import TensorType

_SEED = 20260
_X_KEYS = ("x_test", "x", "images")
_Y_KEYS = ("y_test", "y", "labels")
_NUMERIC = "buif"
"""Kinds of NumPy types that count as numbers: bool, unsigned, integer, float."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Raw samples.

    Attributes:
        x: (N, *shape).
        y: (N,) labels, None if unknown.
        source: where they come from, for reports.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[np.int64] | None
    source: str

    def first(self, count: int) -> "Samples":
        """Return the first `count` samples."""
        return Samples(self.x[:count], None if self.y is None else self.y[:count], self.source)


def seeded_samples(kind: TensorType, count: int) -> Samples:
    """Return uniform random samples of `kind`, the same for the same type and count."""
    rng = np.random.default_rng(_SEED)
    if kind.dtype.bipolar:
        return Samples(2 * rng.integers(0, 2, (count, *kind.shape)) - 1, None, "seeded random values")
    x = rng.integers(kind.dtype.minimum, kind.dtype.maximum + 1, (count, *kind.shape))
    return Samples(x, None, "seeded random values")


def load_samples(spec: str) -> Samples:
    """Read `FILE.npz` or `FILE.npz:x_key,y_key`; without keys x_test/y_test, x/y or images/labels are looked for.

    Raises:
        QnnError: naming the file, the key that is missing, or what is wrong with its array.
    """
    name, separator, keys = spec.rpartition(":")
    path = Path(name if separator and name.endswith(".npz") else spec)
    wanted = keys.split(",") if separator and name.endswith(".npz") else []
    arrays = _read(path)
    x_key = wanted[0] if wanted else next((k for k in _X_KEYS if k in arrays), None)
    y_key = wanted[1] if len(wanted) > 1 else next((k for k in _Y_KEYS if k in arrays), None) if not wanted else None
    for key in (x_key, y_key):
        if key is not None and key not in arrays:
            raise QnnError(f"{path}: no array is named {key!r}; it holds {', '.join(arrays)}")
    if x_key is None:
        raise QnnError(f"{path}: which array holds the samples? it has {', '.join(arrays)}; give FILE.npz:x,y")
    x = arrays[x_key]
    if x.dtype.kind not in _NUMERIC:
        raise QnnError(f"{path}: {x_key} holds {x.dtype} values; samples are numbers")
    if x.ndim == 0 or len(x) == 0:
        raise QnnError(f"{path}: {x_key} has shape {x.shape}; give at least one sample, (N, ...)")
    return Samples(x, None if y_key is None else _labels(path, y_key, arrays[y_key], x_key, len(x)), path.name)


def load_class_names(spec: str) -> tuple[str, ...]:
    """Read names of classes: a text file with one a line, or the names themselves, separated by commas.

    Raises:
        QnnError: if the file cannot be read.
    """
    if "," in spec:
        return tuple(spec.split(","))
    path = Path(spec)
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise QnnError(
            f"class names {spec}: cannot be read ({getattr(error, 'strerror', None) or error}); give a text file with "
            "one name a line, or the names separated by commas"
        ) from None


def _labels(path: Path, key: str, y: npt.NDArray[Any], x_key: str, count: int) -> npt.NDArray[np.int64]:
    if y.size != count:
        raise QnnError(
            f"{path}: {count} samples in {x_key} but {y.size} labels in {key}; labels are one class a sample"
        )
    if y.dtype.kind not in _NUMERIC or (y != np.floor(y)).any():
        raise QnnError(f"{path}: the labels in {key} are no class indices ({y.dtype} values); give integers")
    return y.reshape(-1).astype(np.int64)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    if not path.exists():
        raise QnnError(f"{path}: no such data file; give an .npz file, see numpy.savez")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise QnnError(f"{path}: not an .npz file; write one with numpy.savez(file, x=samples, y=labels)")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise QnnError(f"{path}: not an .npz file of plain arrays ({error}); write it again") from None
