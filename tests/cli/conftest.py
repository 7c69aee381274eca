# SPDX-License-Identifier: Apache-2.0
"""Models and one build, made once for all tests of the command line."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.session import run
from tests.random_nets import Net, build


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `.keras` files: `good` (12-8-4, raw uint8 samples), and one a fault, named after it."""
    import keras

    from qnn_hw.layers import QuantConv2D, QuantDense

    folder = tmp_path_factory.mktemp("models")
    binary = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
    rescaling = keras.layers.Rescaling(1 / 128, -1, name="scale")

    def save(name: str, *layers: object, shape: tuple[int, ...] | None = (12,), dtype: str = "float32") -> None:
        keras.utils.set_random_seed(11)
        model = keras.Sequential([*([] if shape is None else [keras.Input(shape, dtype=dtype)]), *layers], name=name)
        model.save(folder / f"{name}.keras")

    def hidden() -> list[object]:
        return [
            QuantDense(8, **binary, name="fc1"),
            keras.layers.BatchNormalization(name="bn1"),
            QuantDense(4, input_quantizer="ste_sign", **binary, name="fc2"),
        ]

    save("good", rescaling, *hidden())
    save("float_inputs", *hidden())
    save("float_kernel", rescaling, keras.layers.Dense(4, name="plain"))
    with pytest.warns(UserWarning, match="not yet been built"):
        save("unbuilt", QuantDense(4, **binary, name="fc1"), shape=None)
    save("unsupported", rescaling, *hidden(), keras.layers.LayerNormalization(name="norm"))
    convolution = QuantConv2D(4, 3, **binary, name="conv")
    save(
        "uint8_conv",
        convolution,
        keras.layers.Flatten(),
        QuantDense(3, input_quantizer="ste_sign", **binary),
        shape=(5, 5, 1),
        dtype="uint8",
    )
    good = (folder / "good.keras").read_bytes()
    (folder / "truncated.keras").write_bytes(good[: len(good) // 2])
    (folder / "empty.keras").write_bytes(b"")
    (folder / "text.keras").write_text("weights: none\n")
    (folder / "folder.keras").mkdir()
    (folder / "model.h5").write_bytes(good)
    rng = np.random.default_rng(5)
    samples = rng.integers(0, 256, (30, 12))
    np.savez(folder / "data.npz", x=samples, y=rng.integers(0, 4, 30))
    return folder


@pytest.fixture(scope="session")
def good(models: Path) -> Path:
    """The model that can be built."""
    return models / "good.keras"


@pytest.fixture(scope="session")
def built(good: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its build; no test changes it."""
    path = tmp_path_factory.mktemp("builds") / "good"
    outcome = run("build", good, "--out", path, "--data", models / "data.npz", "--target-fps", "1e6")
    assert outcome.code == 0, outcome.err
    return path


@pytest.fixture(scope="session")
def plain_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build made without Keras, for the commands that start without TensorFlow."""
    from qnn_hw.boards import load_board
    from qnn_hw.compiler import assemble

    accelerator = assemble(build(Net((16,), dense=(8,), classes=4), seed=3), load_board("pynq-z2"), target_fps=1e6)
    return accelerator.write(tmp_path_factory.mktemp("plain") / "net")
