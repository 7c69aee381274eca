# SPDX-License-Identifier: Apache-2.0
"""Data sets: shapes, determinism and error texts; never a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qnn_hw import datasets
from qnn_hw.errors import QnnError


def write_npz(file: Path, image_shape: tuple[int, ...], **replaced: np.ndarray) -> Path:
    """A set of 20 training and 10 test images of `image_shape`, with single arrays replaced."""
    generator = np.random.default_rng(0)
    arrays = {
        "x_train": generator.integers(0, 256, (20, *image_shape), dtype=np.uint8),
        "y_train": np.arange(20, dtype=np.uint8) % 10,
        "x_test": generator.integers(0, 256, (10, *image_shape), dtype=np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }
    np.savez(file, **{**arrays, **replaced})
    return file


class TestDigits:
    def test_shapes_and_range(self) -> None:
        digits = datasets.load("digits")
        assert (digits.x_train.shape, digits.x_test.shape) == ((1438, 8, 8, 1), (359, 8, 8, 1))
        assert (digits.x_train.dtype, digits.y_train.dtype) == (np.uint8, np.int64)
        assert (digits.x_train.min(), digits.x_train.max()) == (0, 240)
        assert set(np.unique(digits.x_test % 15)) == {0}
        assert digits.class_names == tuple("0123456789")

    def test_split_is_deterministic_and_stratified(self) -> None:
        first, second = datasets.load("digits"), datasets.load("digits")
        assert np.array_equal(first.x_test, second.x_test)
        assert np.array_equal(first.y_train, second.y_train)
        counts = np.bincount(first.y_test)
        assert (counts.min(), counts.max()) == (35, 37)

    def test_path_is_refused(self) -> None:
        with pytest.raises(QnnError, match=r'dataset "digits": path=x\.npz given, but this set is embedded'):
            datasets.load("digits", path="x.npz")


class TestNpz:
    @pytest.mark.parametrize(
        ("name", "stored", "loaded"),
        [("mnist", (28, 28), (28, 28, 1)), ("mnist", (28, 28, 1), (28, 28, 1)), ("cifar10", (32, 32, 3), (32, 32, 3))],
        ids=["mnist", "mnist-with-channel", "cifar10"],
    )
    def test_from_path(self, tmp_path: Path, name: str, stored: tuple[int, ...], loaded: tuple[int, ...]) -> None:
        file = write_npz(tmp_path / "set.npz", stored)
        got = datasets.load(name, file)
        assert (got.x_train.shape, got.x_test.shape) == ((20, *loaded), (10, *loaded))
        assert np.array_equal(got.x_train.ravel(), np.load(file)["x_train"].ravel())
        assert got.y_test.tolist() == list(range(10))
        assert len(got.class_names) == 10

    def test_from_the_keras_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "datasets").mkdir()
        write_npz(tmp_path / "datasets" / "mnist.npz", (28, 28))
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        assert datasets.load("mnist").name == "mnist"

    def test_labels_as_a_column(self, tmp_path: Path) -> None:
        file = write_npz(tmp_path / "c.npz", (32, 32, 3), y_train=np.zeros((20, 1), np.int32))
        assert datasets.load("cifar10", file).y_train.shape == (20,)

    def test_missing_file_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        with pytest.raises(QnnError, match=r'dataset "mnist": no file .*mnist\.npz; give path=FILE\.npz'):
            datasets.load("mnist")

    @pytest.mark.parametrize(
        ("replaced", "message"),
        [
            (
                {"x_train": np.zeros((20, 28, 28), np.float32)},
                r"x_train float32 \(20, 28, 28\) and 20 labels; expected uint8",
            ),
            ({"x_test": np.zeros((10, 27, 28), np.uint8)}, r"x_test uint8 \(10, 27, 28\)"),
            ({"y_test": np.full(10, 11)}, "y_test int64 with values 11 to 11; expected integers from 0 to 9"),
        ],
        ids=["float", "shape", "labels"],
    )
    def test_wrong_content_is_named(self, tmp_path: Path, replaced: dict, message: str) -> None:
        with pytest.raises(QnnError, match=message):
            datasets.load("mnist", write_npz(tmp_path / "m.npz", (28, 28), **replaced))

    def test_missing_array_is_named(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "m.npz", x_train=np.zeros(3), y_train=np.zeros(3), x_test=np.zeros(3))
        with pytest.raises(QnnError, match="lacks y_test, it holds x_train, y_train, x_test"):
            datasets.load("mnist", tmp_path / "m.npz")

    def test_broken_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "m.npz").write_bytes(b"PK\x03\x04 no archive")
        with pytest.raises(QnnError, match=r"m\.npz cannot be read as \.npz"):
            datasets.load("mnist", tmp_path / "m.npz")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(QnnError, match='dataset "minst" is unknown; allowed are digits, mnist, cifar10'):
        datasets.load("minst")
