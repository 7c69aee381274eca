# SPDX-License-Identifier: Apache-2.0
"""Samples a user gives, from memory or from `FILE.npz[:x,y]`, and the random ones used without any."""

import zipfile
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
        QnnError: naming the file or the key that is missing.
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
    labels = None if y_key is None else np.asarray(arrays[y_key]).reshape(-1).astype(np.int64)
    if labels is not None and len(labels) != len(arrays[x_key]):
        raise QnnError(f"{path}: {len(arrays[x_key])} samples in {x_key} but {len(labels)} labels in {y_key}")
    return Samples(arrays[x_key], labels, path.name)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise QnnError(f"{path}: no such data file") from None
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise QnnError(f"{path}: not an .npz file of plain arrays: {error}") from None
