# SPDX-License-Identifier: Apache-2.0
"""Small defects planted in a build are caught, and the report names where: stream, frame, channel, both values."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.backends.folder import read_build
from qnn_hw.emulator import execute
from qnn_hw.folding import LayerFolding
from qnn_hw.ir.graph import Graph
from qnn_hw.proof import Simulation, simulate_build
from tests.random_nets import Conv, Net
from tests.test_elaborations import Elaboration, accelerator

CASE = Elaboration(
    Net((8, 8, 2), (Conv(4, pool=(2, 2)), Conv(6, same=True)), (8,), classes=4),
    folding=(("conv0", LayerFolding(1, 6)), ("conv1", LayerFolding(2, 12))),
)
SEED = 11
STEADY = Simulation(scenarios=("steady",))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return accelerator(CASE, SEED).write(tmp_path_factory.mktemp("defects") / "sound")


def planted(build: Path, tmp_path: Path, file: str, change: Callable[[list[str]], list[str]]) -> Path:
    """Copy of a build in which `change` has edited the words of one table."""
    target = tmp_path / "defect"
    shutil.copytree(build, target)
    table = target / "rtl" / "data" / file
    words = table.read_text().split()
    table.write_text("\n".join(change(words)) + "\n")
    return target


def flip_bit(words: list[str], word: int, bit: int) -> list[str]:
    digits = len(words[word])
    return [*words[:word], f"{int(words[word], 16) ^ (1 << bit):0{digits}x}", *words[word + 1 :]]


def first_finding(path: Path) -> str:
    verdict = simulate_build(path, STEADY)
    assert not verdict["passed"], "the planted defect was not caught"
    (scenario,) = verdict["scenarios"]
    return scenario["findings"][0]["text"]


def test_sound_build_passes(build: Path) -> None:
    assert simulate_build(build, STEADY)["passed"]


def test_one_weight_bit(build: Path, tmp_path: Path) -> None:
    graph = read_build(build).graph
    matvec = next(op for op in graph.ops if op.name == "conv1_acc")
    path = planted(build, tmp_path, "conv1_acc.weights.mem", lambda words: flip_bit(words, 0, 0))
    finding = first_finding(path)
    assert finding.startswith("stream conv1_acc: frame 0"), finding
    assert f"channel {0 % matvec.pe}: expected" in finding, finding


def test_one_threshold(build: Path, tmp_path: Path) -> None:
    """A threshold moved to "always": located in the codes of its layer and channel, accumulators are still right."""
    graph = read_build(build).graph
    channel = _channel_that_does_not_always_fire(graph, build)
    low = graph.types["conv0_acc"].dtype.minimum
    path = planted(build, tmp_path, "conv0.mem", lambda words: _set_word(words, channel, low))
    finding = first_finding(path)
    assert finding.startswith("stream conv0: frame"), finding
    assert f"channel {channel}: expected" in finding, finding


def _set_word(words: list[str], index: int, value: int) -> list[str]:
    digits = len(words[index])
    return [*words[:index], f"{value & ((1 << (4 * digits)) - 1):0{digits}x}"[-digits:], *words[index + 1 :]]


def _channel_that_does_not_always_fire(graph: Graph, build: Path) -> int:
    codes = np.load(build / "golden" / "conv0.npy")
    return int(np.argmax((codes == 0).any(axis=(0, 1, 2))))


def test_one_weight_bit_in_a_layer_simulated_alone(build: Path, tmp_path: Path) -> None:
    path = planted(build, tmp_path, "conv1_acc.weights.mem", lambda words: flip_bit(words, 0, 0))
    assert simulate_build(path, STEADY, layer="conv0")["passed"]
    verdict = simulate_build(path, STEADY, layer="conv1")
    finding = verdict["scenarios"][0]["findings"][0]["text"]
    assert finding.startswith("stream conv1_acc: frame 0"), finding


def test_two_swapped_channels(build: Path, tmp_path: Path) -> None:
    """Thresholds of channels 0 and 1 exchanged: the first wrong code lies in one of them."""
    path = planted(build, tmp_path, "conv0.mem", lambda words: [words[1], words[0], *words[2:]])
    finding = first_finding(path)
    assert finding.startswith("stream conv0: frame"), finding
    assert "channel 0: expected" in finding or "channel 1: expected" in finding, finding


def test_swapped_rows_in_the_graph_are_located_by_the_reference(build: Path) -> None:
    """The same on the Python side: the first tensor that differs is the layer whose rows were swapped."""
    sound = read_build(build).graph
    constants = dict(sound.constants)
    weights = constants["conv1.weights"].copy()
    weights[[0, 1]] = weights[[1, 0]]
    constants["conv1.weights"] = weights
    wrong = replace(sound, constants=constants)
    kind = next(iter(sound.inputs.values()))
    x = kind.dtype.values(np.load(build / "golden" / "input.npy"))
    ours, theirs = execute(sound, x), execute(wrong, x)
    differing = [name for name in ours if not np.array_equal(ours[name], theirs[name])]
    assert differing[0] == "conv1_acc", differing
