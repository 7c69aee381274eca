# SPDX-License-Identifier: Apache-2.0
"""What `qnn-hw build` refuses: one sentence on stderr, exit status 1, nothing written, an earlier build untouched."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.session import content, python, refused, run

HINT = "give a model saved with model.save('name.keras')"


@pytest.fixture
def refuse(built: Path, tmp_path: Path) -> Callable[..., str]:
    """Run a build into the place of an earlier one that must be refused, and check that nothing happened there."""
    earlier = tmp_path / "builds" / "good"
    shutil.copytree(built, earlier)
    before = content(tmp_path / "builds")

    def call(model: Path, *options: object) -> str:
        message = refused("build", model, "--out", earlier, *options)
        assert content(tmp_path / "builds") == before, "the earlier build changed, or something was left beside it"
        assert [entry.name for entry in earlier.parent.iterdir()] == ["good"]
        return message

    return call


Refuse = Callable[..., str]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("absent.keras", f"{{path}}: no such file; {HINT}"),
        ("folder.keras", f"{{path}}: is a folder; {HINT}"),
        ("model.h5", "{path}: found a .h5 file; give a .keras file, see keras.Model.save"),
        ("text.keras", "{path}: is no .keras archive, or was cut off; save the model again with model.save()"),
        ("empty.keras", "{path}: is no .keras archive, or was cut off; save the model again with model.save()"),
        ("truncated.keras", "{path}: is no .keras archive, or was cut off; save the model again with model.save()"),
        ("unbuilt.keras", "unbuilt: the model has no input shape yet; start it with keras.Input(shape)"),
        (
            "float_kernel.keras",
            "plain: the kernel is not an integer times a power of two in at most 8 bits; use QuantDense with a "
            "kernel_quantizer, for example 'ste_sign'",
        ),
    ],
    ids=["absent", "folder", "h5", "text", "empty", "truncated", "unbuilt", "float-kernel"],
)
def test_a_model_that_cannot_be_built(refuse: Refuse, models: Path, name: str, sentence: str) -> None:
    assert refuse(models / name) == sentence.format(path=models / name)


def test_an_unsupported_layer_is_named_with_what_is_supported(refuse: Refuse, models: Path) -> None:
    message = refuse(models / "unsupported.keras")
    assert message.startswith("norm: LayerNormalization is not supported; supported are Rescaling, Quant/Dense")


def test_a_model_that_keras_itself_cannot_run(refuse: Refuse, models: Path) -> None:
    message = refuse(models / "uint8_conv.keras")
    assert message.startswith(
        "uint8_conv: Keras cannot run this model on uint8 samples of shape (5, 5, 1) (InvalidArgumentError: "
    )


def test_a_model_that_does_not_say_what_its_samples_are(refuse: Refuse, models: Path) -> None:
    message = refuse(models / "float_inputs.keras")
    assert message.startswith("fc1: the model takes float32 inputs and does not say what the raw samples are; give ")
    assert "input_dtype (for example 'uint8')" in message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--output", "probabilities"), "--output probabilities: choose one of class, logits"),
        (("--clock-mhz", "0"), "board pynq-z2: a clock of 0 MHz is outside 1 to 250 MHz; choose another --clock-mhz"),
        (
            ("--clock-mhz", "nan"),
            "board pynq-z2: a clock of nan MHz is outside 1 to 250 MHz; choose another --clock-mhz",
        ),
        (
            ("--clock-mhz", "1e5"),
            "board pynq-z2: a clock of 100000 MHz is outside 1 to 250 MHz; choose another --clock-mhz",
        ),
        (("--target-fps", "0"), "target_fps=0: give a rate above 0 frames a second"),
        (("--target-fps", "-5"), "target_fps=-5: give a rate above 0 frames a second"),
        (("--target-fps", "nan"), "target_fps=nan: give a rate above 0 frames a second"),
        (("--target-fps", "many"), "target_fps='many': give a rate above 0 frames a second, or 'max'"),
        (("--target-fps", "max", "--max-dsp", "-1"), "max_dsp=-1: give a limit of 0 or more"),
        (
            ("--target-fps", "1e9"),
            "fc1: the target allows 0 cycles a frame, its fastest folding takes 1; lower target_fps or raise clock_mhz",
        ),
        (
            ("--input-dtype", "float32"),
            "data type 'float32': expected u<bits>, i<bits> or b1, for example u8, i9 or b1",
        ),
        (
            ("--board", "pynq-z3"),
            "board 'pynq-z3' is unknown; nearest: pynq-z2, pynq-z1; `qnn-hw boards` lists all, and a path to a .toml "
            "file is taken as well",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_out_of_range(refuse: Refuse, good: Path, options: tuple[str, ...], sentence: str) -> None:
    assert refuse(good, *options) == sentence


@pytest.mark.parametrize("target", ["1000", "max"])
def test_a_budget_below_the_smallest_design(refuse: Refuse, good: Path, target: str) -> None:
    message = refuse(good, "--target-fps", target, "--max-lut", "100")
    assert re.fullmatch(
        r"folding: even the smallest design.* needs [\d,]+ LUT, [\d,]+ more than the budget of 100; lower the target, "
        "raise the budget or take a larger board",
        message,
    )


@pytest.mark.parametrize("options", [("--max-lut", "many"), ("--golden-frames", "0"), ("--no-such-option",)])
def test_the_parser_refuses_with_its_usage(good: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    outcome = run("build", good, "--out", tmp_path / "build", *options)
    assert outcome.code == 2
    assert "Usage: qnn-hw build" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[fc1]\npe = 3\nsimd = 1\n",
            "{path}: fc1: PE=3 does not divide 8 rows; legal values near it: 2 and 4",
        ),
        (
            "[fc1]\npe = 8\nsimd = 5\n",
            "{path}: fc1: SIMD=5 does not divide 12 columns; legal values near it: 4 and 6",
        ),
        ("[fc9]\npe = 1\nsimd = 1\n", "{path}: no layer is named 'fc9'; nearest: fc2, fc1"),
        ("[fc1]\npe = 1\nsim = 1\n", "{path}: [fc1] has no key 'sim'; nearest: simd"),
        ("[fc1]\npe = true\nsimd = 1\n", "{path}: [fc1] pe = True; expected int"),
        ("[fc1]\nsimd = 1\n", "{path}: [fc1] lacks pe"),
        ("fc1 = 4\n", "{path}: fc1 must be a table [fc1] with pe and simd"),
        (
            "[fc1]\npe = 1\nsimd = 1\nweight_memory = 'uram'\n",
            "{path}: fc1: weight_memory='uram'; allowed: auto, lut, lutram, bram",
        ),
        (
            "[fc1\npe = 1\n",
            "{path}: not a folding file: Expected ']' at the end of a table declaration (at line 1, column 5)",
        ),
    ],
    ids=["pe", "simd", "layer", "key", "type", "missing", "no-table", "memory", "toml"],
)
def test_a_folding_file(refuse: Refuse, good: Path, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "folding.toml"
    path.write_text(text)
    assert refuse(good, "--folding", path) == sentence.format(path=path)


def test_a_folding_file_that_cannot_be_read(refuse: Refuse, good: Path, tmp_path: Path) -> None:
    assert refuse(good, "--folding", tmp_path / "absent.toml") == f"{tmp_path / 'absent.toml'}: no such folding file"
    assert refuse(good, "--folding", tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


X = np.zeros((3, 12), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "keys", "sentence"),
    [
        ({"x": X}, ":images", "{path}: no array is named 'images'; it holds x"),
        ({"pixels": X}, "", "{path}: which array holds the samples? it has pixels; give FILE.npz:x,y"),
        ({"x": X, "y": np.zeros(2)}, "", "{path}: 3 samples in x but 2 labels in y; labels are one class a sample"),
        (
            {"x": X, "y": np.full(3, 0.5)},
            "",
            "{path}: the labels in y are no class indices (float64 values); give integers",
        ),
        ({"x": X.astype("U1")}, "", "{path}: x holds <U1 values; samples are numbers"),
        ({"x": X[:0]}, "", "{path}: x has shape (0, 12); give at least one sample, (N, ...)"),
        ({"x": np.zeros((3, 4, 4))}, "", "data: samples have shape (4, 4), the network takes (12,)"),
        ({"x": X + 0.5}, "", "data: samples are not integers; give the raw u8 samples, before any scaling"),
        ({"x": X * np.nan}, "", "data: samples are not integers; give the raw u8 samples, before any scaling"),
        (
            {"x": X.astype(int) + 256},
            "",
            "data: values 256..256 do not fit u8 (0..255); give the raw samples, before any scaling",
        ),
    ],
    ids=["key", "no-key", "labels", "soft-labels", "text", "empty", "shape", "fractional", "nan", "range"],
)
def test_samples(
    refuse: Refuse, good: Path, tmp_path: Path, arrays: dict[str, np.ndarray], keys: str, sentence: str
) -> None:
    path = tmp_path / "samples.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    assert refuse(good, "--data", f"{path}{keys}") == sentence.format(path=path)


def test_samples_that_are_no_npz_file(refuse: Refuse, good: Path, tmp_path: Path) -> None:
    absent, text, array = tmp_path / "absent.npz", tmp_path / "text.npz", tmp_path / "array.npy"
    text.write_text("0, 1, 2\n")
    np.save(array, X)
    assert refuse(good, "--data", absent) == f"{absent}: no such data file; give an .npz file, see numpy.savez"
    for path in (text, array, tmp_path):
        assert refuse(good, "--data", path) == (
            f"{path}: not an .npz file; write one with numpy.savez(file, x=samples, y=labels)"
        )


def test_an_earlier_refusal_comes_before_tensorflow_is_loaded(good: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tests.cli.session import refused\n"
        f"for option in (['--board', 'x'], ['--data', 'x.npz'], ['--out', {str(good)!r}], ['--output', 'x']):\n"
        f"    refused('build', {str(good)!r}, *option)\n"
        "print('tensorflow' in sys.modules)\n"
    )
    assert python(script, cwd=tmp_path) == "False\n"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("a,b", "class_names: 2 names for 4 classes; give one a class, in their order"),
        ("a,b,a,c", "class_names: 'a' is given twice; every class needs its own"),
        ("a,,b,c", "class_names: '' is no name; every class needs its own"),
    ],
    ids=["too-few", "twice", "empty"],
)
def test_class_names_that_do_not_fit(refuse: Refuse, good: Path, names: str, sentence: str) -> None:
    assert refuse(good, "--class-names", names) == sentence
