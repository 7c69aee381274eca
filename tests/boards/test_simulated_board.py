# SPDX-License-Identifier: Apache-2.0
"""The driver as it is, under stock pynq, against the Verilated accelerator behind the simulated board's DMA and DDR."""

import ast
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.boards import load_board
from qnn_hw.compiler import Output, assemble
from qnn_hw.deployment.simulated import simulate
from qnn_hw.emulator.reference import execute
from qnn_hw.errors import QnnError
from qnn_hw.ir import UINT8, DataType
from qnn_hw.samples import Samples
from qnn_hw.simulation import board_run
from qnn_hw.simulation.board_run import SimulatedBoard, simulate_driver, simulated_board
from tests.boards.driver_nets import quantized_on_the_host
from tests.boards.simulated import FRAMES, need_pynq, run_script, small_mlp
from tests.random_nets import Conv, Net, samples

SITE = Path(board_run.__file__).parent / "board" / "site"
NETS = {"class": ("pynq-z2", "class"), "logits": ("pynq-z2", "logits")}
OPEN = """
import glob, numpy as np, pynq
from pynq import Overlay, allocate
name = glob.glob("*.bit")[0]
overlay = Overlay(name)
"""
MOVE = """
def move(frames, flush=True, invalidate=True):
    dma, n = overlay.axi_dma_0, len(frames)
    for offset, value in ((0x30, 1), (0x48, receive.physical_address), (0x58, n * facts["frame_bytes_out"]),
                          (0x00, 1)):
        dma.write(offset, value)
    send[: frames.size] = frames.ravel()
    if flush:
        send.flush()
    dma.write(0x18, send.physical_address)
    dma.write(0x28, frames.size)
    while not dma.read(0x34) & 2:
        pass
    if invalidate:
        receive.invalidate()
    return np.array(receive[: n * facts["frame_bytes_out"]], subok=False).view("<i4").reshape(n, -1)[:, 0].tolist()
stem = name[:-4]
facts = json.load(open(stem + ".json"))
golden = np.load(stem + ".golden.npz")
frames = golden["raw"].astype(np.uint8)
send, receive = allocate((4096,), "u1"), allocate((4096,), "u1")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    need_pynq("3.1.2")
    return functools.cache(lambda name: small_mlp(tmp_path_factory.mktemp("builds") / name, *NETS[name]))


@pytest.fixture(scope="module")
def board(built: Callable[[str], Path]) -> Iterator[SimulatedBoard]:
    with simulated_board(built("class")) as made:
        yield made


def test_the_driver_runs_every_golden_frame_and_finds_them_equal(built: Callable[[str], Path]) -> None:
    said: list[str] = []
    facts = simulate(built("class"), progress=said.append)
    manifest = json.loads((built("class") / "qnn.json").read_text())
    assert facts["frames"] == facts["equal"] == FRAMES
    assert facts["bit_exact"] is True and facts["first_difference"] is None
    assert facts["interval_cycles"] == manifest["predicted"]["interval_cycles"]
    assert facts["first_latency_cycles"] == manifest["predicted"]["latency_cycles"]
    assert facts["simulated_cycles"] >= FRAMES * facts["interval_cycles"]
    assert facts["board_frames_per_s"] == pytest.approx(manifest["predicted"]["frames_per_s"])
    assert (facts["pynq"], facts["clock_mhz"], facts["part"]) == ("3.1.2", 100.0, "xc7z020clg400-1")
    assert facts["graph_hash"] == manifest["graph_hash"]
    assert said[-1] == "running the driver on the simulated TUL PYNQ-Z2 under pynq 3.1.2"


@pytest.mark.parametrize("name", NETS)
def test_batches_of_any_size_are_bit_exact(built: Callable[[str], Path], name: str) -> None:
    with simulated_board(built(name)) as made:
        found = run_script(
            made,
            """
            import numpy as np
            from qnn_driver import Accelerator
            with Accelerator(frames_per_transfer=50) as accelerator:
                with np.load(accelerator.facts["stem"] + ".golden.npz") as golden:
                    raw, result = golden["raw"], golden["result"]
                for count in (1, 7, 64, 65, 140, 1):
                    found[count] = int((accelerator.results(raw[:count]) == result[:count]).all(axis=1).sum())
                found["words"] = result.shape[1]
                found["classes"] = len(accelerator.predict(raw))
            """,
        )
    assert found == {"1": 1, "7": 7, "64": 64, "65": 65, "140": 140, "words": 10 if name == "logits" else 1} | {
        "classes": FRAMES
    }


FLAT, PICTURES = Net((70,), dense=(8,), classes=3, ranks=True), Net((6, 5, 3), (Conv(4),), dense=(6,), classes=5)


@pytest.mark.parametrize(
    ("net", "raw_type", "output", "name", "version"),
    [
        pytest.param(FLAT, DataType(5, signed=True), "logits", "pynq-z2", "3.1.2", id="vectors-logits"),
        pytest.param(PICTURES, UINT8, "class", "pynq-z2", "3.0.1", id="pictures-class", marks=pytest.mark.slow),
        pytest.param(PICTURES, UINT8, "logits", "zcu104", "4.0.0", id="pictures-logits", marks=pytest.mark.slow),
    ],
)
def test_a_quantizer_on_the_host_in_front_of_one_bit_on_the_wire(
    tmp_path: Path, net: Net, raw_type: DataType, output: Output, name: str, version: str
) -> None:
    """Golden vectors, then samples with every raw value: classes against the reference of the network as written."""
    need_pynq(version)
    graph = quantized_on_the_host(net, raw_type, 5)
    made = assemble(graph, load_board(name), target_fps=500_000, folding={}, output=output)
    golden = samples(graph, 20, 3)
    build = made.with_samples(Samples(golden, None, "random, seed 3")).write(tmp_path / "build")
    assert json.loads((build / "qnn.json").read_text())["input"]["wire_bits"] == 1
    facts = simulate_driver(build, version=version)
    assert (facts["frames"], facts["equal"], facts["first_difference"]) == (20, 20, None)

    drawn = np.random.default_rng(4).integers(raw_type.minimum, raw_type.maximum + 1, (100, *net.input_shape))
    every = np.arange(raw_type.minimum, raw_type.maximum + 1).reshape(-1, *[1] * len(net.input_shape))
    raw = np.concatenate([drawn, np.broadcast_to(every, (len(every), *net.input_shape))])
    classes = execute(graph, raw)[graph.outputs[0]].reshape(-1)
    assert made.host is not None
    words = classes[:, None]
    if output == "logits":
        codes = execute(made.host, raw)[made.host.outputs[0]]
        words = execute(made.graph, codes)[made.graph.outputs[0]].reshape(len(raw), -1)
    with simulated_board(build, version=version) as made_board:
        np.savez(made_board.folder / "all.npz", raw=raw, words=words, classes=classes)
        found = run_script(
            made_board,
            """
            import numpy as np
            from qnn_driver import Accelerator
            given = np.load("all.npz")
            with Accelerator(frames_per_transfer=50) as accelerator:
                found["host_codes"] = len(accelerator.facts["host_codes"]["codes"])
                found["words"] = int((accelerator.results(given["raw"]) != given["words"]).sum())
                found["classes"] = int((accelerator.predict(given["raw"]) != given["classes"]).sum())
            """,
        )
    assert found == {"host_codes": net.input_shape[-1], "words": 0, "classes": 0}, "words and classes that differ"
    assert len(np.unique(classes)) > 1, "the network tells nothing apart"


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (
            "channel.transfer(buffer.array, start=0, nbytes=n_bytes)",
            "[self._dma_registers.write(place + offset, value) for offset, value in "
            "((0x18, int(buffer.array.physical_address)), (0x28, n_bytes))]",
        ),
        ("receive.array.invalidate()", "pass"),
    ],
    ids=["send-not-flushed", "receive-not-invalidated"],
)
def test_a_driver_that_forgets_the_caches_gets_wrong_words(board: SimulatedBoard, line: str, instead: str) -> None:
    text = (board.folder / "qnn_driver.py").read_text(encoding="utf-8")
    assert text.count(line) == 1, f"the driver has no {line!r} to break"
    (board.folder / "broken.py").write_text(text.replace(line, instead), encoding="utf-8")
    done = board.run(["broken.py", "validate", "--json", "broken.json"])
    assert done.returncode == 2, done.stderr
    assert json.loads((board.folder / "broken.json").read_text())["equal"] < FRAMES


def test_registers_written_by_hand_move_a_frame(board: SimulatedBoard) -> None:
    found = run_script(
        board,
        OPEN
        + MOVE
        + """
found["got"] = move(frames[:5])
found["expected"] = golden["result"][:5, 0].tolist()
found["again"] = move(frames[5:10], flush=False)
found["not_invalidated"] = move(frames[5:10], invalidate=False)
found["cycles"], found["transfers"] = pynq.Device.active_device.cycles, pynq.Device.active_device.transfers
""",
    )
    assert found["got"] == found["expected"]
    assert found["again"] == found["expected"], "without a flush the accelerator sees the frames from before"
    assert found["not_invalidated"] == found["expected"], (
        "without an invalidate the program sees the results from before"
    )
    assert found["transfers"] == 3
    assert json.loads(board.report.read_text())["cycles"] == found["cycles"] > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("overlay.axi_dma_0; pynq.MMIO(0x43D00000, 4096).read(0)", "read of 0x43d00000, where nothing answers"),
        ("pynq.MMIO(0x43D00000, 4096).write(8, 1)", "write of 0x43d00008, where nothing answers"),
        ("pynq.MMIO(0x10000000, 4096).read(0)", "read of 0x10000000, where nothing answers"),
        (
            "dma = overlay.axi_dma_0; dma.write(0x18, 0x1000); dma.write(0x28, 64)",
            "the DMA was sent to 0x00001000, 64 bytes, which lie in no buffer",
        ),
    ],
    ids=["read", "write", "memory-is-no-register", "memory-of-no-buffer"],
)
def test_an_access_where_nothing_answers_ends_the_program(board: SimulatedBoard, text: str, message: str) -> None:
    script = f"{OPEN}\ntry:\n    {text}\nexcept Exception:\n    pass  # a board is not forgiving\n"
    (board.folder / "stray.py").write_text(script, encoding="utf-8")
    done = board.run(["stray.py"])
    assert done.returncode == 1
    assert f"BusError: simulated board: {message}" in done.stderr


def test_no_register_answers_before_a_download(board: SimulatedBoard) -> None:
    (board.folder / "early.py").write_text("import pynq\npynq.MMIO(0x40000000, 4096).read(0)\n", encoding="utf-8")
    done = board.run(["early.py"])
    assert "BusError: simulated board: read of 0x40000000 before a bitstream was loaded" in done.stderr


def test_clocks_buffers_and_downloads(board: SimulatedBoard) -> None:
    found = run_script(
        board,
        """
import pynq
from pynq import Clocks, Device
device = Device.active_device
try:
    pynq.allocate(4)
except RuntimeError as error:
    found["early"] = str(error)
"""
        + OPEN
        + """
found["clocks"] = [Clocks.fclk0_mhz, Clocks.cpu_mhz]
Clocks.fclk0_mhz = 50
found["slower"] = Clocks.fclk0_mhz
a = allocate((100, 3), "i2")
found["aligned"] = a.physical_address % 4096
found["stale"] = bool((np.asarray(a) != 0).all())
part = a[10:20]
found["offset"] = part.physical_address - a.physical_address
a[:] = 5
part.flush()
found["flushed"] = [int(device.memory.view(a.physical_address, 600)[i]) for i in (0, 60, 119, 120)]
device.memory.view(a.physical_address, 600)[:] = 0
part.invalidate()
found["invalidated"] = [int(a[i, 0]) for i in (9, 10, 19, 20)]
u = allocate((8,), "u1", cacheable=0)
u[:] = 9
found["uncached"] = int(device.memory.view(u.physical_address, 8)[3])
used = device.memory.used
a.freebuffer()
del part, a
with allocate((1000,)) as short:
    pass
found["freed"] = [used, device.memory.used]
try:
    allocate((200 << 20,), "u1")
except RuntimeError as error:
    found["full"] = str(error)
overlay.qnn_0.write(0x028, 0)
overlay.download()
found["reloaded"] = [device.downloads, overlay.qnn_0.read(0x030), Clocks.fclk0_mhz, device.name]
""",
    )
    assert found["early"] == "Overlay is not downloaded"
    assert found["clocks"] == [100.0, 650.0] and found["slower"] == 50.0
    assert found["aligned"] == 0 and found["offset"] == 60 and found["stale"]
    assert found["flushed"] == [0xA5, 5, 0, 0xA5], "ten rows of three 16-bit numbers were flushed, and no more"
    assert found["invalidated"] == [5, 0, 0, 5]
    assert found["uncached"] == 9
    assert found["freed"] == [16384, 8192]
    assert found["full"] == "cannot allocate 209715200 bytes: 134209536 of 134217728 bytes of CMA are free"
    assert found["reloaded"] == [2, 0, 100.0, "Pynq-Z2"]


def test_the_fpga_refuses_a_bitstream_for_another_part(board: SimulatedBoard) -> None:
    found = run_script(
        board,
        OPEN
        + """
content = open(name, "rb").read().replace(b"7z020", b"7z010")
open("other-part.bit", "wb").write(content)
open("other-part.hwh", "w").write(open(name[:-4] + ".hwh").read())
try:
    Overlay("other-part.bit")
except OSError as error:
    found["errno"], found["message"] = error.errno, str(error)
""",
    )
    (board.folder / "other-part.bit").unlink()
    assert found["errno"] == 5
    assert "the FPGA (xc7z020clg400-1) refuses a bitstream for 7z010clg400" in found["message"]


def test_a_fault_can_befall_the_unmodified_command(built: Callable[[str], Path]) -> None:
    with simulated_board(built("class"), faults=[{"kind": "slave_error", "transfer": 1}]) as made:
        done = made.run(["qnn_driver.py", "validate", "--json", "out.json"])
        assert done.returncode == 1
        assert json.loads((made.folder / "out.json").read_text())["error"]["kind"] == "DmaSlaveError"
        assert json.loads(made.report.read_text())["faults"] == ["slave_error"]


def test_a_script_of_the_user_runs_in_his_folder(
    built: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import os, sys, numpy as np\n"
        "from qnn_driver import Accelerator\n"
        "with Accelerator() as accelerator:\n"
        "    print(os.getcwd(), sys.argv[1:], accelerator.predict(np.zeros((3, 64), np.uint8)).shape)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert board_run.main([str(built("class")), "mine.py", "--fast"]) == 0
    assert capfd.readouterr().out == f"{tmp_path} ['--fast'] (3,)\n"
    script.write_text("raise SystemExit(7)\n", encoding="utf-8")
    assert board_run.main([str(built("class")), "mine.py"]) == 7
    assert board_run.main([str(built("class"))]) == 2
    assert board_run.main([str(tmp_path), "mine.py"]) == 1


def test_sigterm_ends_the_script_as_well_and_leaves_no_folder(built: Callable[[str], Path], tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = tmp_path / "forever.py"
    script.write_text("import os, time\nprint(os.getpid(), flush=True)\nwhile True: time.sleep(0.05)\n")
    command = [sys.executable, "-m", "qnn_hw.simulation.board_run", str(built("class")), str(script)]
    settings = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings) as process:
        assert process.stdout is not None
        script_id = int(process.stdout.readline())
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(script_id, 0)
    assert not list(scratch.glob("qnn-board-*"))


def test_a_clock_that_the_board_makes_a_little_faster_than_asked(tmp_path: Path) -> None:
    need_pynq("3.1.2")
    facts = simulate(small_mlp(tmp_path / "build", clock_mhz=142))
    assert facts["bit_exact"] and facts["clock_mhz"] == pytest.approx(1000 / 7)


def test_an_unknown_fault_is_refused_with_the_nearest(built: Callable[[str], Path]) -> None:
    with pytest.raises(QnnError, match=r"fault 'missing_last' is unknown; nearest: missing_tlast"):
        simulate(built("class"), fault="missing_last")


def test_an_incomplete_build_is_refused(built: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("qnn.json", "board.toml"):
        (tmp_path / name).write_bytes((built("class") / name).read_bytes())
    with pytest.raises(QnnError, match=r"holds no board/.*\.json; build it again"):
        simulate(tmp_path)


@pytest.mark.parametrize("path", sorted(SITE.parent.rglob("*.py")), ids=lambda path: path.name)
def test_code_of_the_board_is_python_3_10_and_knows_nothing_of_the_package(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert outside <= {"numpy", "pynq", "qnn_driver"}, f"{path.name} imports {', '.join(sorted(outside))}"


def test_start_up_of_python_is_unharmed_where_there_is_no_pynq(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('the other one')\n", encoding="utf-8")
    path = os.pathsep.join((str(SITE), str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": path, "QNN_HW_SIMULATED_BOARD": "/nowhere.json"}
    done = subprocess.run(
        [sys.executable, "-c", "print('running')"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "the other one\nrunning\n", "the sitecustomize that ours hides runs as well"
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "version"), [("kv260", "3.0.1"), ("zcu104", "4.0.0"), ("zcu104", "3.1.2"), ("pynq-z2", "3.0.1")]
)
def test_the_same_driver_on_the_other_releases(tmp_path: Path, name: str, version: str) -> None:
    need_pynq(version)
    facts = simulate_driver(small_mlp(tmp_path / "build", name), version=version)
    assert facts["frames"] == facts["equal"] == FRAMES
    assert facts["pynq"] == version and facts["clock_mhz"] == pytest.approx(100, abs=0.01)
