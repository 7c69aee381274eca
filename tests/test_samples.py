# SPDX-License-Identifier: Apache-2.0
"""Samples a user gives (errors: tests/cli/test_bad_input.py), and the random ones."""

from pathlib import Path

import numpy as np
import pytest

from qnn_hw.compiler import as_integers
from qnn_hw.errors import QnnError
from qnn_hw.ir import BIPOLAR, DataType, TensorType
from qnn_hw.samples import load_class_names, load_samples, seeded_samples

X = np.arange(12).reshape(3, 4)
Y = np.array([2, 0, 1])


@pytest.mark.parametrize(
    ("arrays", "keys", "labels"),
    [
        ({"x": X}, "", None),
        ({"x": X, "y": Y}, "", Y),
        ({"x_test": X, "y_test": Y, "x": X + 1, "y": Y + 1}, "", Y),
        ({"images": X, "labels": Y[:, None]}, "", Y),
        ({"a": X, "b": Y.astype(float)}, ":a,b", Y),
        ({"a": X, "y": Y}, ":a", None),
    ],
    ids=["x", "x-y", "test-part", "column-of-labels", "keys", "key-without-labels"],
)
def test_a_file_is_read(tmp_path: Path, arrays: dict[str, np.ndarray], keys: str, labels: np.ndarray | None) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    samples = load_samples(f"{path}{keys}")
    assert np.array_equal(samples.x, X)
    assert samples.source == "set.npz"
    assert (samples.y is None) if labels is None else np.array_equal(samples.y, labels)
    assert len(samples.first(2).x) == 2
    assert samples.first(2).y is None or len(samples.first(2).y) == 2


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(QnnError, match=r"not an \.npz file of plain arrays \(Object arrays cannot be loaded"):
        load_samples(str(path))


@pytest.mark.parametrize("text", ["u8", "u1", "i5", "b1"])
def test_seeded_samples_are_repeatable_and_fill_their_type(text: str) -> None:
    from qnn_hw.ir.datatype import parse_dtype

    kind = TensorType((40, 30), parse_dtype(text))
    samples = seeded_samples(kind, 10)
    assert np.array_equal(samples.x, seeded_samples(kind, 10).x)
    kind.dtype.check(samples.x)
    assert (samples.x.min(), samples.x.max()) == (kind.dtype.minimum, kind.dtype.maximum)


def test_a_missing_channel_axis_is_added() -> None:
    kind = TensorType((4, 4, 1), DataType(8))
    assert as_integers(np.zeros((2, 4, 4)), kind).shape == (2, 4, 4, 1)
    assert as_integers(np.ones((2, 4, 4, 1), bool), kind).dtype == np.int64


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((2, 1)), "values 0..0 do not fit b1"),
        (np.array([["1"]]), "data: samples are <U1 values; give the raw b1 samples"),
        (np.array([[1j]]), "data: samples are complex128 values"),
        (np.array([[np.inf]]), "data: samples are not integers"),
    ],
    ids=["zero-is-not-bipolar", "text", "complex", "infinite"],
)
def test_samples_that_do_not_fit(x: np.ndarray, sentence: str) -> None:
    with pytest.raises(QnnError) as caught:
        as_integers(x, TensorType((1,), BIPOLAR))
    assert sentence in str(caught.value)


def test_class_names_come_from_a_file_or_the_word_itself(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("ship\nair plane\n")
    assert load_class_names(str(path)) == ("ship", "air plane")
    assert load_class_names("ship,plane") == ("ship", "plane")
    with pytest.raises(QnnError, match=r"absent\.txt: cannot be read .*; give a text file with one name a line, or"):
        load_class_names(str(tmp_path / "absent.txt"))
