# SPDX-License-Identifier: Apache-2.0
"""`qnn_hw.export`: the reader printed in docs/export.md reproduces every prediction from the file alone."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import qnn_hw
from qnn_hw import zoo
from qnn_hw.bundle import FORMAT, VERSION, export, read_bundle
from qnn_hw.datasets import Dataset, load
from qnn_hw.emulator import execute
from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import convert, predict, scores
from qnn_hw.layers import QuantConv2D, QuantDense
from qnn_hw.quantizers import DoReFa, FixedPoint
from tests.frontends.nets import BINARY, WEIGHTS_ONLY, disturb, samples

PAGE = Path(__file__).resolve().parent.parent / "docs" / "export.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)

Reader = Callable[[str | Path, np.ndarray], np.ndarray]


def reader_source() -> str:
    (source,) = [block for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if "def predict" in block]
    return source


@pytest.fixture(scope="module")
def reader() -> Reader:
    names: dict[str, Any] = {}
    exec(compile(reader_source(), "docs/export.md", "exec"), names)
    return names["predict"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def equal(what: str, got: np.ndarray, expected: np.ndarray) -> None:
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    wrong = np.argwhere(got != expected)
    if len(wrong):
        first = tuple(int(i) for i in wrong[0])
        pytest.fail(f"{what}: {len(wrong)} of {got.size} differ, first at {first}: {got[first]} for {expected[first]}")


def decisions(model: Any, x: np.ndarray) -> np.ndarray:
    scores = predict(model, x)
    return np.argmax(scores.reshape(len(scores), -1), axis=1)


def test_the_reader_is_plain_numpy_in_30_lines() -> None:
    source = reader_source()
    lines = [line for line in source.splitlines() if line.strip()]
    assert len(lines) <= 30, f"{len(lines)} lines"
    assert re.findall(r"^(?:import|from) (\w+)", source, re.M) == ["json", "numpy"]


@pytest.mark.parametrize("builder", [zoo.digits_mlp, zoo.digits_cnn], ids=["digits_mlp", "digits_cnn"])
def test_reader_equals_the_trained_net_on_the_whole_digits_test_part(
    builder: Callable[..., keras.Model], digits: Dataset, reader: Reader, tmp_path: Path
) -> None:
    model = builder()
    zoo.train(model, digits, epochs=4)
    file = tmp_path / "net.npz"
    qnn_hw.export(model, file)
    got = reader(file, digits.x_test)
    # All scales of these nets are powers of two: the trained model itself is the reference, not the prepared one.
    equal("class", got, decisions(model, digits.x_test))
    accuracy = float(np.mean(got == digits.y_test))
    assert accuracy > 0.7, f"accuracy {accuracy:.3f} on {len(got)} images"


def _falling_pool() -> keras.Sequential:
    """Negative normalization factors on both sides of a pool; 2-bit codes; ends in a map of one pixel."""
    return keras.Sequential(
        [
            keras.Input((9, 7, 2), dtype="uint8"),
            QuantConv2D(6, (3, 2), strides=(1, 2), padding="same", kernel_quantizer=DoReFa(2, "weights")),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D((2, 2), padding="same"),
            keras.layers.BatchNormalization(),
            QuantConv2D(5, 3, padding="same", input_quantizer=DoReFa(2), kernel_quantizer=FixedPoint(3, 2)),
            keras.layers.MaxPooling2D(2),
            keras.layers.BatchNormalization(),
            QuantConv2D(4, (2, 1), **BINARY),
            keras.layers.BatchNormalization(),
        ],
        name="falling_pool",
    )


def _host_quantizer() -> keras.Sequential:
    """A quantizer reads the raw samples; biases, relu, a final softmax."""
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1.0),
            QuantConv2D(8, 3, padding="same", pad_values=-1.0, **{**BINARY, "use_bias": True}),
            keras.layers.ReLU(),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            QuantDense(
                12, input_quantizer=FixedPoint(4, 2), kernel_quantizer="ste_sign", kernel_constraint="weight_clip"
            ),
            QuantDense(7, **BINARY),
            keras.layers.Softmax(),
        ],
        name="host_quantizer",
    )


def _scaled_signs() -> keras.Sequential:
    """One scale a filter, read from the weights."""
    options = {"kernel_quantizer": "magnitude_aware_sign", "kernel_constraint": "weight_clip", "use_bias": False}
    return keras.Sequential(
        [
            keras.Input((6, 5, 3), dtype="uint8"),
            QuantConv2D(6, 3, name="conv", **options),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            QuantDense(8, input_quantizer="ste_tern", name="dense", **options),
            QuantDense(4, **BINARY),
        ],
        name="scaled_signs",
    )


def _scaled_outside() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((20,)),
            QuantDense(16, **WEIGHTS_ONLY),
            keras.layers.BatchNormalization(),
            QuantDense(5, **BINARY),
            keras.layers.BatchNormalization(),
        ],
        name="scaled_outside",
    )


NETS: list[Any] = [
    pytest.param(_falling_pool, {}, id="falling-pool"),
    pytest.param(_host_quantizer, {}, id="host-quantizer"),
    pytest.param(_scaled_signs, {}, id="scaled-signs"),
    pytest.param(_scaled_outside, {"input_dtype": "i5", "input_scale": 0.25, "input_offset": 0.5}, id="outside-i5"),
    pytest.param(_scaled_outside, {"input_dtype": "b1"}, id="bipolar-samples"),
]


@pytest.mark.parametrize("seed", [0, 1, 2], ids=lambda seed: f"seed{seed}")
@pytest.mark.parametrize(("build", "options"), NETS)
def test_reader_equals_the_software_model(
    build: Callable[[], keras.Sequential], options: dict[str, Any], seed: int, reader: Reader, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(seed)
    model = disturb(build(), seed)
    converted = convert(model, **options)
    x = samples(converted, 60, seed)
    bundle = export(model, tmp_path / "net.npz", **options)
    equal("class", reader(tmp_path / "net.npz", x), decisions(converted.prepared.model, x))
    assert set(bundle.header["input"]) == {"type", "shape", "minimum", "maximum"}
    assert bundle.header["input"]["type"] == str(converted.prepared.dtype)
    shapes = [tuple(entry["output_shape"]) for entry in bundle.header["operations"]]
    tensors = execute(converted.graph, x)
    for op in converted.graph.ops[:-1]:
        assert tensors[op.outputs[0]].shape[1:] in shapes, f"{op.name}: no operation has this shape"


def test_reader_equals_the_software_model_with_a_table_of_ranks(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no straight line a class orders the scores; here none is tried."""
    monkeypatch.setattr(scores, "_candidates", lambda *_: iter(()))
    model = disturb(_falling_pool(), 0)
    converted = convert(model)
    x = samples(converted, 60)
    bundle = export(model, tmp_path / "net.npz")
    kinds = [op["kind"] for op in bundle.header["operations"]]
    assert kinds[-1] == "ranks"
    assert kinds[kinds.index("max_pool") + 1] == "affine", "channels that fall behind the pool"
    equal("class", reader(tmp_path / "net.npz", x), decisions(converted.prepared.model, x))


def test_one_scale_a_filter() -> None:
    keras.utils.set_random_seed(4)
    model = _scaled_signs()
    bundle = export(model)
    operations = {op["layer"]: op for op in bundle.header["operations"] if op["kind"] in ("conv2d", "dense")}
    for name, filters in (("conv", 6), ("dense", 8)):
        op = operations[name]
        assert (len(op["weight_scale"]), op["weight_type"]) == (filters, "b1"), name
        assert set(np.unique(bundle.arrays[f"{name}.weights"])) == {-1, 1}, name
        kernel = bundle.arrays[f"{name}.weights"] * np.array(op["weight_scale"], np.float32)
        equal(name, kernel, np.asarray(model.get_layer(name).quantized_kernel))


def test_weights_and_scales_are_those_of_the_keras_layers() -> None:
    keras.utils.set_random_seed(3)
    model = _falling_pool()
    bundle = export(model)
    operations = {op["layer"]: op for op in bundle.header["operations"] if op["kind"] == "conv2d"}
    convolutions = [layer for layer in model.layers if isinstance(layer, QuantConv2D)]
    assert len(convolutions) == len(operations) == 3
    for layer in convolutions:
        op = operations[layer.name]
        kernel = bundle.arrays[f"{op['name']}.weights"] * np.array(op["weight_scale"])
        np.testing.assert_allclose(kernel, np.asarray(layer.quantized_kernel), rtol=1e-6, atol=0, err_msg=layer.name)
    # Weights of DoReFa(2) are odd thirds; its activations k / 3: an accumulator of the second layer counts twelfths.
    scales = [op["weight_scale"] for op in operations.values()]
    assert scales == [[1 / 3], [0.25], [1.0]]
    np.testing.assert_allclose([op["accumulator_scale"][0] for op in operations.values()], [1 / 3, 1 / 12, 1.0])
    outputs = [op for op in bundle.header["operations"] if op["kind"] == "threshold"]
    assert [op["output_type"] for op in outputs] == ["u2", "b1"]
    assert [op["output_scale"] for op in outputs] == [1 / 3, 1.0]


def test_a_file_reads_back_as_it_was(tmp_path: Path) -> None:
    written = export(_scaled_outside(), tmp_path / "net.npz", input_dtype="uint8")
    read = read_bundle(tmp_path / "net.npz")
    assert read.header == written.header == json.loads(json.dumps(written.header))
    assert (read.header["format"], read.header["version"]) == (FORMAT, VERSION)
    assert read.arrays.keys() == written.arrays.keys()
    for name, table in written.arrays.items():
        equal(name, read.arrays[name], table)
        assert read.arrays[name].dtype == table.dtype, name


def test_a_path_does_for_a_model(tmp_path: Path, reader: Reader) -> None:
    model = zoo.digits_mlp()
    model.save(tmp_path / "net.keras")
    export(tmp_path / "net.keras", tmp_path / "net.npz")
    x = np.random.default_rng(0).integers(0, 241, (30, 8, 8, 1), np.uint8)
    equal("class", reader(tmp_path / "net.npz", x), decisions(model, x))


def test_the_fields_are_those_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    fields: set[str] = set()
    for build, options in ((_falling_pool, {}), (_host_quantizer, {}), (_scaled_outside, {"input_dtype": "b1"})):
        bundle = export(disturb(build(), 0), **options)
        fields |= set(bundle.header) | set(bundle.header["input"])
        fields |= {field for op in bundle.header["operations"] for field in op}
        fields |= {op["kind"] for op in bundle.header["operations"]}
        fields |= {name.rpartition(".")[2] for name in bundle.arrays}
    undocumented = [field for field in sorted(fields) if f"`{field}`" not in page]
    assert not undocumented, f"docs/export.md does not explain {', '.join(undocumented)}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda path: export(zoo.digits_mlp(), path / "net.npy"),
            r"net\.npy: a bundle is an \.npz file; give a name that ends in \.npz$",
            id="suffix",
        ),
        pytest.param(
            lambda path: export(zoo.digits_mlp(), path / "missing" / "net.npz"),
            r"missing/net\.npz: cannot be written \(No such file or directory\); choose a folder you can write to$",
            id="folder",
        ),
        pytest.param(
            lambda path: export(keras.Sequential([keras.Input((4,), dtype="uint8"), keras.layers.Dense(3, name="d")])),
            r"^d: the kernel is not an integer times a power of two in at most 8 bits",
            id="float-layer",
        ),
        pytest.param(
            lambda path: export(path / "net.keras"), r"net\.keras: no such file; give a model saved", id="no-model"
        ),
        pytest.param(
            lambda path: read_bundle(path / "no.npz"), r"no\.npz: no such file; write one with", id="no-bundle"
        ),
        pytest.param(lambda path: read_bundle(_text(path)), r"text\.npz: is no bundle \(", id="text"),
        pytest.param(
            lambda path: read_bundle(_other(path)), r"other\.npz: is no bundle of version 1; write", id="version"
        ),
    ],
)
def test_errors_are_one_sentence(call: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=message):
        call(tmp_path)


def _text(path: Path) -> Path:
    (path / "text.npz").write_text("no archive")
    return path / "text.npz"


def _other(path: Path) -> Path:
    np.savez(path / "other.npz", header=np.array(json.dumps({"format": FORMAT, "version": VERSION + 1})))
    return path / "other.npz"
