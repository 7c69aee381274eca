# SPDX-License-Identifier: Apache-2.0
"""Loading weights in the formats of tf-keras, written here piece by piece; the peers' tests let larq write them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import keras
import numpy as np
import pytest

import qnn_hw
from qnn_hw.errors import QnnError
from qnn_hw.larq_weights import load_larq_weights
from qnn_hw.layers import QuantConv2D, QuantDense, QuantDepthwiseConv2D

OPTIONS: dict[str, Any] = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}
Weights = dict[str, dict[str, np.ndarray]]
"""Layer name -> path of a weight -> array, as tf-keras files them."""


def net(names: Sequence[str] = ("conv", "bn", "deep", "out")) -> keras.Sequential:
    """Convolution, BatchNormalization without scale, a depthwise layer inside a sub-model, dense layer with bias."""
    conv, bn, deep, out = names
    inner = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            QuantDepthwiseConv2D(3, depthwise_quantizer="ste_sign", depthwise_constraint="weight_clip", name=deep),
        ],
        name="inner",
    )
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            QuantConv2D(2, 3, use_bias=False, name=conv, **OPTIONS),
            keras.layers.BatchNormalization(scale=False, name=bn),
            inner,
            keras.layers.Flatten(),
            QuantDense(3, name=out, **OPTIONS),
        ],
        name="net",
    )


def saved(names: Sequence[str] = ("conv", "bn", "deep", "out")) -> Weights:
    """What tf-keras would file for `net`, weights of a layer in an order of their own where names tell them apart."""
    conv, bn, deep, out = names
    rng = np.random.default_rng(5)

    def array(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return {
        conv: {f"{conv}/kernel:0": array(3, 3, 1, 2)},
        bn: {f"{bn}/beta:0": array(2), f"{bn}/moving_mean:0": array(2), f"{bn}/moving_variance:0": array(2) ** 2},
        "inner": {f"{deep}/depthwise_kernel:0": array(3, 3, 2, 1), f"{deep}/bias:0": array(2)},
        "flatten": {},
        out: {f"{out}/bias:0": array(3), f"{out}/kernel:0": array(8, 3)},
    }


def expected(weights: Weights) -> list[np.ndarray]:
    """In the order of `net().get_weights()`."""
    conv, bn, inner, _, (bias, kernel) = ([*layer.values()] for layer in weights.values())
    return [*conv, *bn, *inner, kernel, bias]


def write_h5(file: Path, weights: Weights, whole: bool = False, split: bool = False) -> Path:
    with h5py.File(file, "w") as root:
        top = root.create_group("model_weights") if whole else root
        names = [name.encode() for name in weights]
        if split:  # tf-keras cuts attributes of more than 64 kB
            top.attrs["layer_names0"], top.attrs["layer_names1"] = names[:2], names[2:]
        else:
            top.attrs["layer_names"] = names
        for layer, arrays in weights.items():
            group = top.create_group(layer)
            group.attrs["weight_names"] = [path.encode() for path in arrays]
            for path, array in arrays.items():
                group[path] = array
    return file


def write_containers(file: Path, weights: Weights) -> Path:
    """The newer format: filed under class names, weights numbered in the order of the layer."""
    places = ["quant_conv2d", "batch_normalization", "sequential/layers/quant_depthwise_conv2d", None, "quant_dense"]
    with h5py.File(file, "w") as root:
        for place, arrays in zip(places, weights.values(), strict=True):
            ordered = list(arrays.values())
            for i, array in enumerate(reversed(ordered) if place == "quant_dense" else ordered):
                root[f"layers/{place}/vars/{i}"] = array
        root["optimizer/vars/0"] = np.zeros(3)
    return file


def as_file(weights: Weights, folder: Path) -> Path:
    return write_h5(folder / "w.h5", weights)


def as_model_file(weights: Weights, folder: Path) -> Path:
    return write_h5(folder / "w.hdf5", weights, whole=True, split=True)


def as_containers(weights: Weights, folder: Path) -> Path:
    return write_containers(folder / "w.weights.h5", weights)


def as_archive(weights: Weights, folder: Path) -> Path:
    inner = write_containers(folder / "inner.h5", weights)
    with ZipFile(folder / "w.keras", "w") as archive:
        archive.write(inner, "model.weights.h5")
    return folder / "w.keras"


def as_list(weights: Weights, folder: Path) -> list[np.ndarray]:
    return expected(weights)


def as_npz(weights: Weights, folder: Path) -> str:
    np.savez(folder / "w.npz", *expected(weights))
    return str(folder / "w.npz")


def as_named_npz(weights: Weights, folder: Path) -> Path:
    named: dict[str, Any] = {path: array for layer in weights.values() for path, array in layer.items()}
    np.savez(folder / "w.npz", **named)
    return folder / "w.npz"


FORMATS = [as_file, as_model_file, as_containers, as_archive, as_list, as_npz, as_named_npz]


def check(model: Any, weights: Weights) -> None:
    for variable, got, array in zip(model.weights, model.get_weights(), expected(weights), strict=True):
        assert np.array_equal(got, array), f"{variable.path} differs"


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
def test_every_format(write: Callable[..., Any], tmp_path: Path) -> None:
    model, weights = net(), saved()
    taken = qnn_hw.load_larq_weights(model, write(weights, tmp_path))
    check(model, weights)
    assert list(taken) == ["conv", "bn", "deep", "out"]


def test_names_are_used_where_all_agree(tmp_path: Path) -> None:
    """The order of the file does not matter then."""
    model, weights = net(), saved()
    shuffled = {name: weights[name] for name in ("out", "inner", "flatten", "bn", "conv")}
    assert load_larq_weights(model, write_h5(tmp_path / "w.h5", shuffled)) == {
        name: name for name in ("conv", "bn", "deep", "out")
    }
    check(model, weights)


def test_the_order_is_used_where_names_differ(tmp_path: Path) -> None:
    """Names that Keras numbers agree by accident, one layer further on: `conv` here is no `conv` there."""
    model, weights = net(("a", "conv", "bn", "b")), saved()
    taken = load_larq_weights(model, write_h5(tmp_path / "w.h5", weights))
    assert taken == {"a": "conv", "conv": "bn", "bn": "deep", "b": "out"}
    check(model, weights)


def test_loaded_weights_are_latent(tmp_path: Path) -> None:
    model, weights = net(), saved()
    load_larq_weights(model, write_h5(tmp_path / "w.h5", weights))
    conv = model.get_layer("conv")
    kernel = weights["conv"]["conv/kernel:0"]
    assert np.array_equal(conv.quantized_kernel, np.where(kernel < 0, -1, 1))
    quantized = {**weights, "conv": {"conv/kernel:0": np.where(kernel < 0, -1, 1).astype(np.float32)}}
    again = net()
    load_larq_weights(again, write_h5(tmp_path / "q.h5", quantized))
    x = np.random.default_rng(0).normal(size=(5, 6, 6, 1)).astype(np.float32)
    assert np.array_equal(model(x), again(x)), "weights saved quantized predict the same"


def _without(weights: Weights, layer: str) -> Weights:
    return {name: arrays for name, arrays in weights.items() if name != layer}


def _reshaped(weights: Weights) -> Weights:
    return {**weights, "conv": {"conv/kernel:0": np.zeros((3, 3, 3, 2), np.float32)}}


def _with_bias(weights: Weights) -> Weights:
    return {**weights, "conv": {**weights["conv"], "conv/bias:0": np.zeros(2, np.float32)}}


def _text(path: Path) -> Path:
    path.write_text("no weights")
    return path


def _empty_h5(path: Path) -> Path:
    with h5py.File(path, "w") as root:
        root["data"] = np.zeros(3)
    return path


def _zip(path: Path) -> Path:
    with ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "no weights")
    return path


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            lambda folder: write_h5(folder / "w.h5", _without(saved(), "bn")),
            r"^w\.h5: 3 layers with weights found \(conv, deep, out\), net has 4 \(conv, bn, deep, out\); build "
            r"the model with the same layers$",
            id="missing-layer",
        ),
        pytest.param(
            lambda folder: write_h5(folder / "w.h5", _reshaped(saved())),
            r"^conv: layer conv of w\.h5 has a kernel of shape \(3, 3, 3, 2\), the layer needs \(3, 3, 1, 2\); build "
            r"the model with the same sizes and the same order of layers$",
            id="shape",
        ),
        pytest.param(
            lambda folder: write_h5(folder / "w.h5", _with_bias(saved())),
            r"^conv: layer conv of w\.h5 holds kernel, bias, the layer has kernel; build it with the same arguments$",
            id="bias",
        ),
        pytest.param(
            lambda folder: expected(saved())[:-1],
            r"^list of weights: 7 arrays found, the model has 8 weights in 4 layers; build the model with the",
            id="short-list",
        ),
        pytest.param(
            lambda folder: [*expected(saved())[:-2], np.zeros((3, 8)), np.zeros(3)],
            r"^out: list of weights has a kernel of shape \(3, 8\), the layer needs \(8, 3\); build the model",
            id="list-shape",
        ),
        pytest.param(
            lambda folder: write_containers(folder / "w.h5", {**saved(), "out": {}}),
            r"^out: w\.h5 holds no weights of a layer quant_dense; build the model as it was$",
            id="container",
        ),
        pytest.param(
            lambda folder: folder / "no.h5",
            r"no\.h5: no such file; give an \.h5 or \.keras file of tf-keras",
            id="no-file",
        ),
        pytest.param(lambda folder: folder, r": is a folder; give an \.h5 or \.keras file of tf-keras", id="folder"),
        pytest.param(
            lambda folder: _text(folder / "w.h5"), r"w\.h5: holds no weights that can be read here; give", id="text"
        ),
        pytest.param(
            lambda folder: _zip(folder / "w.keras"), r"w\.keras: holds no weights that can be read here; give", id="zip"
        ),
        pytest.param(
            lambda folder: _empty_h5(folder / "w.h5"),
            r"^w\.h5: an HDF5 file without weights of Keras layers",
            id="hdf5",
        ),
    ],
)
def test_errors_are_one_sentence_and_change_nothing(
    source: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    model = net()
    before = model.get_weights()
    with pytest.raises(QnnError, match=message):
        load_larq_weights(model, source(tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_model_without_shapes_is_refused() -> None:
    model = keras.Sequential([QuantDense(3, **OPTIONS)], name="open")
    with pytest.raises(QnnError, match=r"^open: the model is not built, it has no weights yet; start it with"):
        load_larq_weights(model, [])
