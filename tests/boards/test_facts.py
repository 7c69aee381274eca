# SPDX-License-Identifier: Apache-2.0
"""The facts of a build and its golden vectors, against the accelerator they were made of."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.backends.board import board_files, golden_arrays
from qnn_hw.backends.board.facts import facts, host_codes
from qnn_hw.backends.folder import read_manifest
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator
from qnn_hw.emulator import execute
from qnn_hw.errors import QnnError
from qnn_hw.ir import BIPOLAR, ConstRef, DataType, Graph, TensorType
from qnn_hw.ir.ops.threshold import Threshold
from tests.boards.driver_nets import driver_net


def quantizer(raw: DataType, thresholds: np.ndarray, code: DataType, shape: tuple[int, ...], falling: bool) -> Graph:
    op = Threshold(
        name="q",
        layer="quantizer",
        inputs=("x",),
        outputs=("y",),
        thresholds=ConstRef("t"),
        falling=ConstRef("f") if falling else ConstRef(""),
        dtype=code,
        base=0 if code.bipolar else code.minimum,
    )
    constants = {"t": thresholds, "f": np.arange(shape[-1]) % 2}
    return Graph("q", {"x": TensorType(shape, raw)}, (op,), ("y",), constants if falling else {"t": thresholds})


@pytest.mark.parametrize("falling", [False, True], ids=["rising", "falling"])
@pytest.mark.parametrize("code", [BIPOLAR, DataType(2, signed=True), DataType(2)], ids=str)
@pytest.mark.parametrize("raw", [DataType(8), DataType(5, signed=True), DataType(12), BIPOLAR], ids=str)
def test_the_table_is_the_quantizer(raw: DataType, code: DataType, falling: bool) -> None:
    rng = np.random.default_rng(7)
    steps = 1 if code.bipolar else code.maximum - code.minimum
    table = np.sort(rng.integers(raw.minimum, raw.maximum + 2, (3, steps)), axis=1)
    graph = quantizer(raw, table, code, (4, 2, 3), falling)
    found = host_codes(graph)
    values = (
        raw.values(rng.integers(0, 2, (20, 4, 2, 3)))
        if raw.bipolar
        else rng.integers(raw.minimum, raw.maximum + 1, (20, 4, 2, 3))
    )
    rows = np.array(found["codes"])
    looked_up = rows[np.arange(3) if len(rows) > 1 else 0, values - found["first"]]
    assert np.array_equal(looked_up, code.codes(execute(graph, values)["y"]))
    assert rows.shape == (len(rows), raw.maximum - raw.minimum + 1)


def test_channels_that_agree_share_one_row() -> None:
    graph = quantizer(DataType(8), np.array([[128]]), BIPOLAR, (28, 28, 1), falling=False)
    assert host_codes(graph) == {"first": 0, "codes": [[0] * 128 + [1] * 128]}


def test_raw_samples_too_wide_for_a_table() -> None:
    graph = quantizer(DataType(17), np.array([[5]]), BIPOLAR, (2,), falling=False)
    with pytest.raises(QnnError, match="quantizer: raw samples of 17 bits are quantized on the board by a table"):
        host_codes(graph)


@pytest.fixture(scope="module", params=["pictures", "bits"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Accelerator, Path]:
    accelerator = driver_net(request.param, "pynq-z2")
    return accelerator, accelerator.write(tmp_path_factory.mktemp("facts") / "build")


def test_facts_are_those_of_the_accelerator(made: tuple[Accelerator, Path]) -> None:
    accelerator, path = made
    found = facts(read_manifest(path), accelerator.board, accelerator.host)
    outside = accelerator.outside
    beat_bytes = outside.dma_width_bits // 8
    assert found["schema"] == 1 and found["graph_hash"] == accelerator.graph_hash
    assert found["stem"].endswith("-" + accelerator.graph_hash[:8])
    assert found["raw_input"] == {
        "shape": list(accelerator.input_type.shape),
        "dtype": str(accelerator.input_type.dtype),
    }
    assert found["frame_bytes_in"] == outside.beats_in * beat_bytes
    assert found["frame_bytes_out"] == outside.beats_out * beat_bytes
    assert found["result"]["words"] == outside.words
    assert (found["output"], found["n_classes"]) == (accelerator.output, len(accelerator.classifier.ranks))
    assert found["predicted"]["interval_cycles"] == accelerator.interval_cycles
    assert len(found["class_names"]) == found["n_classes"]
    pictures = {"height": 5, "width": 4, "channels": 1}
    assert found["preprocessing"] == (pictures if accelerator.host is None else None)
    assert json.loads(json.dumps(found)) == found, "something in it is no JSON value"


def test_golden_words_are_the_reference(made: tuple[Accelerator, Path]) -> None:
    accelerator, path = made
    arrays = golden_arrays(path, read_manifest(path))
    assert accelerator.golden is not None
    assert np.array_equal(arrays["raw"], accelerator.golden.samples.x)
    words = accelerator.emulate(arrays["raw"]).reshape(len(arrays["raw"]), -1)
    assert arrays["result"].dtype == np.int32 and np.array_equal(arrays["result"], words)
    assert np.array_equal(arrays["labels"], accelerator.golden.samples.y)
    assert "keras_class" not in arrays


def test_bipolar_raw_samples_come_back_as_values(tmp_path: Path) -> None:
    (tmp_path / "golden").mkdir()
    np.save(tmp_path / "golden" / "input.npy", np.array([[0, 1]], np.uint8))
    np.save(tmp_path / "golden" / "class_index.npy", np.array([[3]], np.uint8))
    manifest = {"raw_input": {"dtype": "b1"}, "result": {"stream": "class_index"}}
    arrays = golden_arrays(tmp_path, manifest)
    assert arrays["raw"].tolist() == [[-1, 1]] and arrays["result"].tolist() == [[3]]


def test_the_board_folder_is_the_same_every_time(made: tuple[Accelerator, Path]) -> None:
    accelerator, path = made
    manifest = read_manifest(path)
    first, second = (board_files(manifest, accelerator.board, accelerator.host) for _ in range(2))
    assert first == second
    stem = json.loads(next(text for name, text in first.items() if name.endswith(".json")))["stem"]
    assert sorted(first) == sorted(["qnn_driver.py", f"{stem}.json", f"{stem}.ipynb"])
    assert first[f"{stem}.json"].count("\n") < 40, "a line a key"


def test_a_board_that_does_not_fit() -> None:
    accelerator = driver_net("pictures", "pynq-z2")
    from qnn_hw.build import manifest

    with pytest.raises(QnnError, match="its memory port has 128 bits, the build's streams have 64"):
        facts(manifest(accelerator), replace(load_board("zcu104"), name="zcu104"), None)
