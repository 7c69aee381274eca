# SPDX-License-Identifier: Apache-2.0
"""Data sets: shapes, determinism and error texts; never a download."""

from __future__ import annotations

import gzip
import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn_hw import datasets
from qnn_hw.datasets import files
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
        with pytest.raises(QnnError, match=r"not in Keras's cache, looked for .*mnist\.npz; give its path \(an \.npz"):
            datasets.load("mnist")
        with pytest.raises(QnnError, match=r'dataset "mnist": no file or folder .*none\.npz; give an \.npz file'):
            datasets.load("mnist", tmp_path / "none.npz")

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


SIZES = {"x_train": (20, 28, 28), "y_train": (20,), "x_test": (10, 28, 28), "y_test": (10,)}


def write_idx(folder: Path, packed: bool = True) -> dict[str, np.ndarray]:
    """The four files of an MNIST with random images; returns what they hold."""
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for key, shape in SIZES.items():
        arrays[key] = generator.integers(0, 10, shape, dtype=np.uint8)
        sizes = b"".join(size.to_bytes(4, "big") for size in shape)
        data = bytes([0, 0, 8, len(shape)]) + sizes + arrays[key].tobytes()
        stem = files.IDX_FILES[key]
        (folder / (f"{stem}.gz" if packed else stem)).write_bytes(gzip.compress(data) if packed else data)
    return arrays


class TestIdx:
    @pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
    @pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
    def test_from_a_folder(self, tmp_path: Path, name: str, packed: bool) -> None:
        arrays = write_idx(tmp_path, packed)
        got = datasets.load(name, tmp_path)
        for key, array in arrays.items():
            assert np.array_equal(getattr(got, key).ravel(), array.ravel()), f"{key} differs"
        assert got.x_train.shape == (20, 28, 28, 1)

    def test_from_the_keras_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_idx(tmp_path / "datasets" / "fashion-mnist")
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        assert datasets.load("fashion-mnist").class_names[9] == "ankle boot"

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        write_idx(tmp_path)
        (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
        with pytest.raises(QnnError, match=r"has no t10k-labels-idx1-ubyte\.gz; the four files are train-images"):
            datasets.load("mnist", tmp_path)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"text", "Not a gzipped file"),
            (gzip.compress(b"text"), "does not start with 00 00 08"),
            (gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 9, 1, 2])), r"2 bytes for shape \(9,\)"),
            (gzip.compress(bytes(2000))[:20], "ended before the end-of-stream"),
        ],
        ids=["no-gzip", "no-idx", "size", "cut-off"],
    )
    def test_a_broken_file_is_named(self, tmp_path: Path, content: bytes, reason: str) -> None:
        write_idx(tmp_path)
        (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(content)
        with pytest.raises(QnnError, match=rf"train-labels-idx1-ubyte\.gz cannot be read as an IDX file \(.*{reason}"):
            datasets.load("mnist", tmp_path)


def write_batches(folder: Path) -> np.ndarray:
    """CIFAR-10's "Python version" with three images a batch; returns all training images, NHWC."""
    generator = np.random.default_rng(2)
    folder.mkdir(parents=True)
    images = []
    for stem in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        batch = generator.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
        data = batch.transpose(0, 3, 1, 2).reshape(3, 3072)
        stored = pickle.dumps({b"data": data, b"labels": [0, 5, 9]}, protocol=3)
        # The published files were written by a NumPy that called this module by its old name.
        (folder / stem).write_bytes(stored.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
        images.append(batch)
    return np.concatenate(images[:5])


class TestCifar10Batches:
    @pytest.mark.parametrize("cached", ["cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py"])
    def test_from_the_keras_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: str) -> None:
        images = write_batches(tmp_path / "datasets" / cached)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        got = datasets.load("cifar10")
        assert np.array_equal(got.x_train, images)
        assert got.y_train.tolist() == [0, 5, 9] * 5
        assert got.x_test.shape == (3, 32, 32, 3)
        assert got.remark == ""

    def test_a_pickle_that_runs_code_is_refused(self, tmp_path: Path) -> None:
        class Harmful:
            def __reduce__(self) -> Any:
                return (Path.touch, (tmp_path / "touched",))

        write_batches(tmp_path / "c")
        (tmp_path / "c" / "data_batch_2").write_bytes(pickle.dumps(Harmful()))
        with pytest.raises(QnnError, match=r"data_batch_2 cannot be read as a batch of CIFAR-10 \(it names "):
            datasets.load("cifar10", tmp_path / "c")
        assert not (tmp_path / "touched").exists()

    def test_a_missing_batch_is_named(self, tmp_path: Path) -> None:
        write_batches(tmp_path / "c")
        (tmp_path / "c" / "test_batch").unlink()
        with pytest.raises(QnnError, match="has no test_batch; the files are data_batch_1 to data_batch_5 and"):
            datasets.load("cifar10", tmp_path / "c")


class TestJpeg:
    @staticmethod
    def write(file: Path, **replaced: np.ndarray) -> Path:
        """Two training images and one test image of one colour each; needs Pillow unless all streams are replaced."""
        arrays: dict[str, np.ndarray] = {"class_names": np.array(["a"])}
        for part, colours in (("train", [(200, 10, 10), (10, 200, 10)]), ("test", [(0, 0, 255)])):
            streams = []
            for colour in colours if f"{part}_jpeg" not in replaced else []:
                from PIL import Image

                buffer = io.BytesIO()
                Image.new("RGB", (32, 32), colour).save(buffer, "JPEG", quality=95)
                streams.append(buffer.getvalue())
            arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(streams), np.uint8)
            arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, streams)])
            arrays[f"{part}_labels"] = np.arange(len(colours), dtype=np.uint8)
        np.savez(file, **{**arrays, **replaced})
        return file

    def test_images_are_decoded_and_the_set_says_so(self, tmp_path: Path) -> None:
        pytest.importorskip("PIL")
        got = datasets.load("cifar10", self.write(tmp_path / "c.npz"))
        assert (got.x_train.shape, got.x_test.shape, got.y_train.tolist()) == ((2, 32, 32, 3), (1, 32, 32, 3), [0, 1])
        assert np.abs(got.x_train[1, 16, 16].astype(int) - (10, 200, 10)).max() <= 4
        assert got.remark == "images re-encoded as JPEG, which is lossy"

    def test_a_stream_that_is_no_jpeg_is_named(self, tmp_path: Path) -> None:
        pytest.importorskip("PIL")
        noise = {"test_jpeg": np.zeros(50, np.uint8), "test_offsets": np.array([0, 50])}
        with pytest.raises(QnnError, match="holds no JPEG as image 0 of test_jpeg; check test_offsets"):
            datasets.load("cifar10", self.write(tmp_path / "c.npz", **noise))

    def test_without_pillow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "PIL", None)
        file = self.write(tmp_path / "c.npz", train_jpeg=np.zeros(4, np.uint8), test_jpeg=np.zeros(2, np.uint8))
        with pytest.raises(QnnError, match=r"holds JPEG images, and Pillow, .* is not installed; pip install pillow"):
            datasets.load("cifar10", file)

    def test_a_missing_array_is_named(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "c.npz", train_jpeg=np.zeros(4, np.uint8), train_labels=np.zeros(1))
        with pytest.raises(QnnError, match="lacks train_offsets, test_jpeg, test_offsets, test_labels, it holds"):
            datasets.load("cifar10", tmp_path / "c.npz")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        QnnError, match='dataset "minst" is unknown; nearest: mnist, fashion-mnist; allowed are digits,'
    ):
        datasets.load("minst")
