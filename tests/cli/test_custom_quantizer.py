# SPDX-License-Identifier: Apache-2.0
"""A quantizer the user wrote goes through training, saving, export and `qnn-hw build`."""

from pathlib import Path

import keras
import numpy as np
import pytest

import qnn_hw
from qnn_hw import cli
from qnn_hw.backends.folder import read_manifest
from qnn_hw.frontends.custom_code import run_custom_code
from qnn_hw.layers import QuantDense

CODE = '''
import keras
from keras import ops

from qnn_hw.ir.code_type import CodeType
from qnn_hw.quantizers import Quantizer


@keras.saving.register_keras_serializable("mine")
class HalfSign(Quantizer):
    """-0.5 or +0.5, straight through within [-1, 1]."""

    precision = 1

    @property
    def code_type(self):
        return CodeType(bits=1, bipolar=True, scale=0.5)

    def call(self, inputs):
        @ops.custom_gradient
        def quantize(x):
            def gradient(*args, upstream=None):
                upstream = args[0] if upstream is None else upstream
                return upstream * ops.cast(ops.abs(x) <= 1, x.dtype)

            return ops.where(x < 0, -0.5, 0.5), gradient

        return super().call(quantize(ops.copy(inputs)))
'''


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, keras.Model, np.ndarray]:
    folder = tmp_path_factory.mktemp("custom")
    code = folder / "half_sign.py"
    code.write_text(CODE)
    run_custom_code(code)
    from half_sign import HalfSign

    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Rescaling(1 / 128, -1),
            QuantDense(16, kernel_quantizer=HalfSign(), kernel_constraint="weight_clip", use_bias=False, name="fc1"),
            keras.layers.BatchNormalization(),
            QuantDense(
                3,
                input_quantizer=HalfSign(),
                kernel_quantizer=HalfSign(),
                kernel_constraint="weight_clip",
                use_bias=False,
                name="fc2",
            ),
            keras.layers.BatchNormalization(),
        ],
        name="halves",
    )
    x = np.random.default_rng(1).integers(0, 256, (96, 12))
    before = model.get_layer("fc1").kernel.numpy().copy()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, (x.sum(axis=1) % 3), epochs=3, verbose=0)
    assert not np.array_equal(model.get_layer("fc1").kernel.numpy(), before), "the pseudo-gradient does not train"
    file = folder / "halves.keras"
    model.save(file)
    np.savez(folder / "data.npz", x=x)
    return code, file, model, x


def test_build_and_export(trained: tuple[Path, Path, keras.Model, np.ndarray], tmp_path: Path) -> None:
    code, file, model, x = trained
    out = tmp_path / "halves"
    arguments = ["build", str(file), "-o", str(out), "--custom", str(code), "--data", f"{file.parent / 'data.npz'}:x"]
    cli.app(arguments, standalone_mode=False)
    facts = read_manifest(out)
    assert [layer["weight_dtype"] for layer in facts["layers"]] == ["b1", "b1"]
    classes = np.load(out / "golden" / f"{facts['result']['stream']}.npy")
    np.testing.assert_array_equal(classes.reshape(-1), np.load(out / "golden" / "keras_class.npy"))
    accelerator = qnn_hw.compile(model, input_dtype="uint8")
    software = np.argmax(qnn_hw.predict(accelerator.software_model, x), axis=1)
    np.testing.assert_array_equal(accelerator.emulate(x), software)
    bundle = qnn_hw.export(model, tmp_path / "halves.npz", input_dtype="uint8")
    weights = next(value for key, value in bundle.arrays.items() if "weight" in key)
    assert set(np.unique(weights)) == {-1, 1}


def test_custom_file_that_is_missing_or_fails(tmp_path: Path) -> None:
    with pytest.raises(qnn_hw.QnnError, match=r"--custom .*absent.py: no such Python file"):
        run_custom_code(tmp_path / "absent.py")
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n")
    with pytest.raises(qnn_hw.QnnError, match=r"--custom .*broken.py: running it failed \(ZeroDivisionError"):
        run_custom_code(broken)
