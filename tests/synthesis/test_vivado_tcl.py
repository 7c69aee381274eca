# SPDX-License-Identifier: Apache-2.0
"""The Vivado scripts of a build, run in a Tcl interpreter against a stand-in that records what they ask for.

What is judged is the design the scripts make: cells, connections, clock, resets, addresses, files and outputs, each by
one small check over the record. Each check is itself tested: a table of defects, put into the scripts or into their
calls, says which one check must notice, and no other. The stand-in (`recorder.tcl`) is no Vivado: that a bitstream
comes out and works is not shown here.
"""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from qnn_hw.backends.board.design import ACCELERATOR_VLNV, BlockDesign, block_design
from qnn_hw.backends.board.hwh import hwh_text
from qnn_hw.backends.vivado import RELEASES, RESULTS, RUN, SETTINGS, WRAPPER
from qnn_hw.boards import Board, list_boards, load_board
from qnn_hw.compiler import assemble
from tests.random_nets import Conv, Net, build
from tests.synthesis.tcl_recorder import Assignment, Mutation, Recording, Session, interpreter, record

pytestmark = pytest.mark.skipif(interpreter() is None, reason="no Tcl interpreter (Debian: tcl)")

INTERCONNECTS = ("xilinx.com:ip:smartconnect", "xilinx.com:ip:axi_interconnect")
DMA, RESET = "xilinx.com:ip:axi_dma", "xilinx.com:ip:proc_sys_reset"
OTHER_PART, OTHER_BOARD = "xc7z045ffg900-2", "example.com:other:part0:1.0"
NETS = {
    "dense": Net((12,), dense=(8,), classes=3),
    "conv": Net((4, 4, 1), convs=(Conv(4),), dense=(8,), classes=4),
}


@dataclass(frozen=True)
class Trial:
    """One run of a build's scripts, and what it ought to have made."""

    folder: Path
    """The build: `rtl/` and `vivado/`."""
    board: Board
    design: BlockDesign
    recording: Recording
    again: Callable[..., Recording]
    """Runs the same scripts in a session with other fields."""

    @property
    def processor(self) -> str:
        return f"/{self.design.processor_cell}"

    @property
    def out(self) -> Path:
        return self.folder / "vivado" / RESULTS

    def at_processor(self, name: str) -> str:
        return f"{self.processor}/{name}"


# --- checks: each returns what is wrong, a sentence each --------------------------------------------------------------


def check_ran(trial: Trial) -> Iterator[str]:
    """The script ends well, and Vivado had nothing to complain of on the way."""
    if trial.recording.status:
        yield f"the script ended with {trial.recording.status}: {trial.recording.output[-300:]}"
    for (message,) in trial.recording.named("critical"):
        yield f"critical warning: {message}"
    for (message,) in trial.recording.named("warning"):
        yield f"warning: {message}"


def check_streams(trial: Trial) -> Iterator[str]:
    """Memory -> DMA -> accelerator -> DMA -> memory: each stream connected once, to its one partner."""
    record, dma, accelerator = trial.recording, f"/{trial.design.dma_cell}", f"/{trial.design.accelerator_cell}"
    partners = {f"{dma}/M_AXIS_MM2S": f"{accelerator}/s_axis", f"{dma}/S_AXIS_S2MM": f"{accelerator}/m_axis"}
    partners |= {to: end for end, to in partners.items()}
    found = {one.path for cell in record.cells.values() for one in cell.interfaces if one.kind == "axis"}
    for path in sorted(found | partners.keys()):
        joined = _partners(record, path)
        if joined != [partners.get(path)]:
            yield f"stream {path} is connected to {joined or 'nothing'}, ought to be to {partners.get(path)} once"


def check_memory_mapped(trial: Trial) -> Iterator[str]:
    """The processor reaches both register ports and no more, both directions of the DMA reach memory and no more."""
    record, design = trial.recording, trial.design
    for cell in record.cells.values():
        for one in cell.interfaces:
            if one.kind == "aximm" and (cell.name != trial.processor or one.path in _used(trial)):
                joined = _partners(record, one.path)
                if len(joined) != 1:
                    yield f"{one.path} is connected {len(joined)} times, ought to be once: {joined}"
                for path in joined:
                    other = record.interface(path)
                    if other and {one.mode, other.mode} != {"Master", "Slave"}:
                        yield f"{one.path} and {path} are both {one.mode}"
    registers = {f"/{segment.cell}/{segment.port}" for segment in design.control}
    wanted = {trial.at_processor(design.control_port): registers}
    for direction in ("MM2S", "S2MM"):
        wanted[f"/{design.dma_cell}/M_AXI_{direction}"] = {trial.at_processor(design.memory_port)}
    for manager, ends in wanted.items():
        if _reached(record, manager) != ends:
            yield f"{manager} reaches {sorted(_reached(record, manager))}, ought to reach {sorted(ends)}"


def check_processor(trial: Trial) -> Iterator[str]:
    """One processor under its board's preset, with the two ports in use and no other; its pins lead out of the chip."""
    record, ip = trial.recording, trial.board.processor.ip
    cells = record.of_kind(ip)
    if [cell.name for cell in cells] != [trial.processor]:
        yield f"cells of {ip}: {[cell.name for cell in cells]}, ought to be {trial.processor} alone"
        return
    for one in cells[0].interfaces:
        if one.kind == "aximm" and one.path not in _used(trial):
            yield f"the port {one.path} is switched on and nothing uses it"
        if one.kind not in ("aximm", "axis") and not any(to in record.externals for to in _partners(record, one.path)):
            yield f"{one.path} does not lead out of the chip"
    presets = [event for event in record.named("automation") if event[1] == trial.processor and event[2] == "1"]
    if not presets or not presets[-1][3]:
        yield "the processor did not get the preset of a board: no timing of its memory"
    for _, *lost in record.named("overwritten"):
        yield f"the preset came after {', '.join(lost)} and set them anew"


def check_clocks(trial: Trial) -> Iterator[str]:
    """Each clock input has one driver, and all have the same: the processor's clock."""
    record = trial.recording
    source = trial.at_processor(trial.board.processor.clock_pin)
    for cell in record.cells.values():
        for pin in cell.pins:
            if pin.kind == "clk" and pin.direction == "I" and not _of_idle_port(trial, pin.path):
                drivers = _drivers(record, pin.path)
                if drivers != [source]:
                    yield f"clock {pin.path} is driven by {drivers or 'nothing'}, ought to be by {source}"
        for one in cell.interfaces:
            if one.kind in ("axis", "aximm") and not one.clock:
                yield f"{one.path} belongs to no clock"


def check_resets(trial: Trial) -> Iterator[str]:
    """Each reset comes from the one reset block, in the right sense; the block's own from the processor."""
    record = trial.recording
    blocks = record.of_kind(RESET)
    if len(blocks) != 1:
        yield f"{len(blocks)} reset blocks, ought to be one"
        return
    start, own = f"{blocks[0].name}/ext_reset_in", trial.at_processor(trial.board.processor.reset_pin)
    for pin in [pin for cell in record.cells.values() for pin in cell.pins]:
        if pin.kind != "rst" or pin.direction != "I":
            continue
        drivers = _drivers(record, pin.path)
        if len(drivers) != 1:
            yield f"reset {pin.path} has {len(drivers)} drivers, ought to be one: {drivers}"
        elif pin.path == start:
            if drivers != [own]:
                yield f"{start} is driven by {drivers[0]}, ought to be by {own}"
        elif not drivers[0].startswith(f"{blocks[0].name}/"):
            yield f"reset {pin.path} comes from {drivers[0]}, not from {blocks[0].name}: it is in step with no clock"
        elif (driver := record.pin(drivers[0])) and driver.polarity != pin.polarity:
            yield f"reset {pin.path} is {pin.polarity}, its driver {drivers[0]} is {driver.polarity}"


def check_frequency(trial: Trial) -> Iterator[str]:
    """The processor is asked for the clock of the build; the accelerator takes whatever it makes."""
    cell, name = trial.recording.cells.get(trial.processor), trial.board.clock.config_property
    asked = cell.config.get(name, "nothing") if cell else "nothing"
    if asked == "nothing" or float(asked) != trial.design.clock_mhz:
        yield f"{name} is {asked}, ought to be {trial.design.clock_mhz:g}"
    # A processor asked for 100 MHz may make 99 999 001 Hz; the validation wants one figure on both sides.
    if "FREQ_HZ" in (trial.folder / "vivado" / WRAPPER).read_text():
        yield f"{WRAPPER} tells a FREQ_HZ of its own"


def check_addresses(trial: Trial) -> Iterator[str]:
    """Every segment once, where design and simulated board have it, in the window, aligned, apart from the others."""
    record, design, board = trial.recording, trial.design, trial.board
    if record.named("automatic_addresses"):
        yield "addresses are left to Vivado's choice: driver and simulated board cannot know them"
    space = trial.at_processor(board.processor.control_space)
    control = [one for one in record.addresses if one.space == space]
    wanted = {(f"/{one.cell}/{one.port}", one.base, one.size) for one in design.control}
    found = [(_interface_of(one.segment), one.base, one.size) for one in control]
    if sorted(found, key=str) != sorted(wanted, key=str):
        yield f"registers are at {_hex(found)}, ought to be at {_hex(wanted)} as in the block design"
    if set(found) != (handoff := _handoff_registers(trial)):
        yield f"registers are at {_hex(found)}, in the simulated board's .hwh at {_hex(handoff)}"
    for one in control:
        real = _segments(record).get(one.segment, 0)
        if one.base is None:
            yield f"{one.segment} has no base"
            continue
        if one.size & (one.size - 1) or one.base % one.size:
            yield f"{one.segment}: 0x{one.base:X} + 0x{one.size:X} is no power of two at a multiple of itself"
        if one.size < real:
            yield f"{one.segment}: 0x{one.size:X} bytes of 0x{real:X} can be reached"
        window = board.control
        if not window.base <= one.base <= one.base + one.size <= window.base + window.size:
            yield f"{one.segment}: 0x{one.base:X} + 0x{one.size:X} is outside the window of {design.control_port}"
        for two in control:
            if two.base is not None and one.segment < two.segment and _overlap(one, two):
                yield f"{one.segment} and {two.segment} overlap"
    memory = trial.at_processor(board.processor.memory_segment)
    for direction in ("MM2S", "S2MM"):
        space = f"/{design.dma_cell}/Data_{direction}"
        reached = [(one.segment, one.base, one.size) for one in record.addresses if one.space == space]
        if reached != (whole := [(memory, board.memory.base, board.memory.size)]):
            yield f"{space} reaches {_hex(reached)}, ought to reach {_hex(whole)}"
        hidden = {segment for where, segment in record.named("excluded") if where == space}
        beside = {path for path in _segments(record) if path.rpartition("/")[0] == memory.rpartition("/")[0]} - {memory}
        if hidden != beside:
            yield f"{space}: {sorted(beside ^ hidden)} ought to be mapped or excluded"


def check_dma(trial: Trial) -> Iterator[str]:
    """One AXI DMA in simple mode: long transfers, no realignment, 32-bit addresses, bursts the ports can take."""
    cells = trial.recording.of_kind(DMA)
    if [cell.name for cell in cells] != [f"/{trial.design.dma_cell}"]:
        yield f"DMA cells: {[cell.name for cell in cells]}, ought to be /{trial.design.dma_cell} alone"
        return
    set_to = cells[0].config
    for name, value, default in (
        ("c_include_sg", "0", "1"),
        ("c_sg_length_width", str(trial.design.length_bits), "14"),
        ("c_include_mm2s", "1", "1"),
        ("c_include_s2mm", "1", "1"),
        ("c_include_mm2s_dre", "0", "0"),
        ("c_include_s2mm_dre", "0", "0"),
        ("c_addr_width", "32", "32"),
        ("c_micro_dma", "0", "0"),
        ("c_mm2s_burst_size", str(trial.design.burst_beats), "16"),
        ("c_s2mm_burst_size", str(trial.design.burst_beats), "16"),
    ):
        if set_to.get(name, default) != value:
            yield f"{name} is {set_to.get(name, default)}, ought to be {value}"
    if not 16 <= trial.design.burst_beats <= 64:
        yield f"bursts of {trial.design.burst_beats} beats"
    told = _handoff(trial, trial.design.dma_cell)
    for name in sorted(set_to.keys() & told.keys()):
        if "width" not in name and name not in _WIDE and set_to[name] != told[name]:
            yield f"{name} is {set_to[name]}, in the simulated board's .hwh {told[name]}"


# Judged against what they are connected to.
_WIDE = frozenset({"c_sg_length_width", "c_addr_width"})


def check_widths(trial: Trial) -> Iterator[str]:
    """One width from memory to memory: processor port, DMA, streams, accelerator."""
    record, bits = trial.recording, trial.design.dma_width_bits
    dma, accelerator = f"/{trial.design.dma_cell}", f"/{trial.design.accelerator_cell}"
    for path in (
        f"{dma}/M_AXI_MM2S",
        f"{dma}/M_AXIS_MM2S",
        f"{accelerator}/s_axis",
        f"{accelerator}/m_axis",
        f"{dma}/S_AXIS_S2MM",
        f"{dma}/M_AXI_S2MM",
        trial.at_processor(trial.design.memory_port),
    ):
        one = record.interface(path)
        if one is None or one.bits not in (bits, None):
            yield f"{path} has {one.bits if one else 'no'} bits, ought to have {bits}"


def check_part(trial: Trial) -> Iterator[str]:
    """Part and board part are those of the board's file, in each project."""
    properties = trial.recording.properties
    projects = [name for name, values in properties.items() if "BOARD_PART" in values]
    for name in projects:
        if properties[name]["PART"] != trial.board.part:
            yield f"project {name} is for {properties[name]['PART']}, ought to be for {trial.board.part}"
    chosen = properties.get(projects[-1], {}).get("BOARD_PART", "") if projects else ""
    if chosen not in trial.board.board_parts:
        yield f"board part {chosen or 'missing'}, ought to be one of {', '.join(trial.board.board_parts)}"


def check_sources(trial: Trial) -> Iterator[str]:
    """The packaged IP holds every RTL and memory file of the build, byte for byte; the design's top is its wrapper."""
    record = trial.recording
    files = {Path(path).name: Path(path) for path in record.cores.get(ACCELERATOR_VLNV, ())}
    sources = [trial.folder / "vivado" / WRAPPER, *_below(trial.folder / "rtl")]
    for source in sources:
        if source.name not in files:
            yield f"{source.name} is not in the IP"
        elif files[source.name].read_bytes() != source.read_bytes():
            yield f"{source.name} in the IP differs from the build's"
    for name in sorted(files.keys() - {source.name for source in sources}):
        yield f"{name} is in the IP and not in the build"
    loud = record.first("call", "set_msg_config", "-id", "Synth 8-4445", "-new_severity", "ERROR")
    if not record.last("call", "create_project") < loud < record.first("launched", "synth_1"):
        yield "a table that synthesis does not find is no error of the project: the network would compute with zeros"
    large = record.first("call", "set_param", "synth.elaboration.rodinMoreOptions")
    if not 0 <= large < record.first("launched", "synth_1"):
        yield "synthesis takes no table of more than a million bits"
    cell = record.cells.get(f"/{trial.design.accelerator_cell}")
    if not cell or cell.vlnv != ACCELERATOR_VLNV:
        yield f"the accelerator is {cell.vlnv if cell else 'missing'}, ought to be {ACCELERATOR_VLNV}"
    top = record.properties.get("sources_1", {}).get("TOP", "")
    if f"{top}.v" not in {Path(path).name for path in record.files.get("sources_1", ())}:
        yield f"the top {top or '(none)'} is no file of the project"


def check_order(trial: Trial) -> Iterator[str]:
    """Each step comes after what it needs."""
    record = trial.recording
    steps = (
        ("the last change of the block design", record.last("changed")),
        ("validate_bd_design", record.last("validated")),
        ("save_bd_design", record.last("saved")),
        ("its output products", record.first("generated")),
        ("synthesis", record.first("launched", "synth_1")),
        ("the end of synthesis", record.first("waited", "synth_1")),
        ("implementation", record.first("launched", "impl_1")),
        ("the end of implementation", record.first("waited", "impl_1")),
        ("the timing report", record.first("report", "timing")),
        ("the bitstream", record.first("call", "write_bitstream")),
    )
    for (before, first), (after, second) in pairwise(steps):
        if first < 0:
            yield f"{before}: never"
        elif 0 <= second < first:
            yield f"{after} comes before {before}"


def check_outputs(trial: Trial) -> Iterator[str]:
    """One pair under the build's stem, the very files the tool made, with its reports."""
    out, stem = trial.out, trial.design.stem
    names = {path.name for path in _below(out)}
    for name in sorted({"utilization.rpt", "timing.rpt", "route.rpt", "drc.rpt"} - names):
        yield f"{name} is missing in {out.name}"
    pair = {f"{stem}.bit", f"{stem}.hwh"}
    if found := {name for name in names if name.endswith((".bit", ".hwh"))} ^ pair:
        for name in sorted(found):
            yield f"{name} {'is missing' if name in pair else 'is not of this build'} in {out.name}"
        return
    bit, hwh = ((out / f"{stem}.{kind}").read_text() for kind in ("bit", "hwh"))
    top = trial.recording.properties["sources_1"]["TOP"]
    if not bit.startswith(f"bitstream of {top} for "):
        yield f"{stem}.bit is not the bitstream of {top}: {bit}"
    if not hwh.startswith("hardware handoff of ") or hwh.split()[3].strip(",") != top.removesuffix("_wrapper"):
        yield f"{stem}.hwh is not the handoff of {top}: {hwh}"


def check_hash(trial: Trial) -> Iterator[str]:
    """The graph hash is told to the project, and is that of the build."""
    expected = trial.design.graph_hash
    told = [call for call in trial.recording.calls("set_property") if any(expected in word for word in call)]
    if not told:
        yield f"no property of the IP or the project holds the graph hash {expected}"
    facts = trial.out / "result.txt"
    if facts.is_file() and f"graph_hash {expected}" not in facts.read_text().splitlines():
        yield f"{facts.name} does not hold the graph hash {expected}"


def check_timing(trial: Trial) -> Iterator[str]:
    """With a path that is 0.1 ns too slow, the script ends with a sentence on it and leaves no pair."""
    refused = trial.again(wns=-0.1)
    if not refused.status:
        yield "the script ends well though timing was missed"
    if not re.search(r"timing not met.*-0\.1", refused.output):
        yield f"no sentence on the timing: {refused.output[-300:]}"
    if left := [path.name for path in _below(trial.out) if path.suffix in (".bit", ".hwh")]:
        yield f"timing was missed and {', '.join(left)} were left"


# Timing comes last: its second run replaces what the first one left.
CHECKS: dict[str, Callable[[Trial], Iterator[str]]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


# --- how the checks read the record -----------------------------------------------------------------------------------


def _partners(record: Recording, path: str) -> list[str]:
    return [other for joined in record.connections if path in joined for other in joined - {path}]


def _used(trial: Trial) -> set[str]:
    return {trial.at_processor(trial.design.control_port), trial.at_processor(trial.design.memory_port)}


def _of_idle_port(trial: Trial, pin: str) -> bool:
    """Return whether a clock belongs to a port of the processor that ought not to be there: `check_processor` tells."""
    cell = trial.recording.cells.get(trial.processor)
    ports = [one for one in cell.interfaces if f"{trial.processor}/{one.clock}" == pin] if cell else []
    return bool(ports) and not any(one.path in _used(trial) for one in ports)


def _reached(record: Recording, manager: str) -> set[str]:
    """Return the interfaces a manager reaches, through whatever interconnect."""
    ends: set[str] = set()
    for path in _partners(record, manager):
        cell = record.cells.get("/" + path.split("/")[1])
        if cell and cell.vlnv.startswith(INTERCONNECTS):
            ends |= {end for one in cell.interfaces if one.mode == "Master" for end in _reached(record, one.path)}
        else:
            ends.add(path)
    return ends


def _drivers(record: Recording, path: str) -> list[str]:
    """Return the outputs on the net of a pin."""
    net = next((net for net in record.nets if path in net), frozenset())
    return sorted(other for other in net if (pin := record.pin(other)) and pin.direction == "O")


def _overlap(one: Assignment, two: Assignment) -> bool:
    assert one.base is not None and two.base is not None
    return one.base < two.base + two.size and two.base < one.base + one.size


def _interface_of(segment: str) -> str:
    return segment.rpartition("/")[0]


def _segments(record: Recording) -> dict[str, int]:
    return {path: size for cell in record.cells.values() for path, size in cell.segments.items()}


def _hex(found: object) -> str:
    return re.sub(r"\b\d+\b(?=[,)])", lambda number: f"0x{int(number[0]):X}", str(sorted(found, key=str)))  # type: ignore[call-overload]


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _handoff_registers(trial: Trial) -> set[tuple[str, int, int]]:
    """Return (interface, base, size) of what the processor reaches, as the simulated board's .hwh has it."""
    ranges = _module(trial, trial.design.processor_cell).iter("MEMRANGE")
    return {
        (
            f"/{one.attrib['INSTANCE']}/{one.attrib['SLAVEBUSINTERFACE']}",
            int(one.attrib["BASEVALUE"], 0),
            int(one.attrib["HIGHVALUE"], 0) - int(one.attrib["BASEVALUE"], 0) + 1,
        )
        for one in ranges
    }


def _handoff(trial: Trial, cell: str) -> dict[str, str]:
    return {one.attrib["NAME"]: one.attrib["VALUE"] for one in _module(trial, cell).iter("PARAMETER")}


def _module(trial: Trial, cell: str) -> ElementTree.Element:
    root = ElementTree.fromstring(hwh_text(trial.design, trial.board).encode())
    return next(one for one in root.iter("MODULE") if one.attrib["INSTANCE"] == cell)


# --- builds and runs --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, float | None], Path]:
    """Return the maker of builds (board, network, clock); each is made once and only copied by the tests."""
    made: dict[tuple[str, str, float | None], Path] = {}

    def make(board: str, net: str, clock_mhz: float | None) -> Path:
        key = (board, net, clock_mhz)
        if key not in made:
            folder = tmp_path_factory.mktemp("build") / "build"
            accelerator = assemble(
                build(NETS[net], seed=1),
                load_board(board),
                clock_mhz=clock_mhz,
                output="logits" if net == "conv" else "class",
            )
            made[key] = accelerator.write(folder)
        return made[key]

    return make


@pytest.fixture
def trial(builds: Callable[[str, str, float | None], Path], tmp_path: Path) -> Callable[..., Trial]:
    """Return the function that copies a build, runs its scripts and tells what to expect."""

    def run(
        board_name: str = "pynq-z2",
        net: str = "dense",
        clock_mhz: float | None = None,
        edits: tuple[tuple[str, str, str], ...] = (),
        **session: object,
    ) -> Trial:
        source, folder = builds(board_name, net, clock_mhz), tmp_path / "build"
        board = load_board(board_name)
        manifest = json.loads((source / "qnn.json").read_text())
        shutil.copytree(source / "vivado", folder / "vivado")
        (folder / "rtl").symlink_to(source / "rtl")  # nothing writes there
        for name, pattern, text in edits:
            _edit(folder / "vivado" / name, pattern, text)
        parts = (board.part, OTHER_PART)
        installed = [(name, board.part) for name in board.board_parts]
        told = Session(parts=parts, boards=(*installed, (OTHER_BOARD, OTHER_PART)))
        told = replace(told, **session)  # type: ignore[arg-type]

        def again(**fields: object) -> Recording:
            return record(folder / "vivado" / RUN, replace(told, **fields), tmp_path / "recorder")  # type: ignore[arg-type]

        return Trial(folder, board, block_design(manifest, board), again(), again)

    return run


def _edit(path: Path, pattern: str, text: str) -> None:
    before = path.read_text()
    after, n_places = re.subn(pattern, text, before, flags=re.MULTILINE)
    assert n_places, f"{path.name}: nothing matches {pattern!r}; the defect is not there"
    path.write_text(after)


def complaints(trial: Trial, *, timing: bool = True) -> dict[str, list[str]]:
    """Return check -> what it found; checks that found nothing are left out. `timing` asks for a second run."""
    found = {name: list(check(trial)) for name, check in CHECKS.items() if timing or name != "timing"}
    return {name: wrong for name, wrong in found.items() if wrong}


# --- the scripts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("net", "clock_mhz"), [("dense", None), ("conv", None), ("dense", 125.0)], ids=str)
@pytest.mark.parametrize("board", [board.name for board in list_boards()])
def test_the_scripts_make_the_design(
    trial: Callable[..., Trial], board: str, net: str, clock_mhz: float | None
) -> None:
    done = trial(board, net, clock_mhz)
    assert complaints(done) == {}, done.recording.output


@pytest.mark.parametrize("version", [*(release.version for release in RELEASES), "2022.2.2", "2023.2_AR000035"])
def test_every_release_takes_the_scripts(trial: Callable[..., Trial], version: str) -> None:
    done = trial("kv260", version=version)
    assert complaints(done, timing=False) == {}, done.recording.output


def test_the_releases_are_2022_1_to_2026_1() -> None:
    names = [release.version for release in RELEASES]
    assert (names[0], names[-1]) == ("2022.1", "2026.1") and names == sorted(set(names))


@pytest.mark.parametrize("board", ["kv260", "zcu104"])
def test_any_of_the_board_parts_serves(trial: Callable[..., Trial], board: str) -> None:
    known = load_board(board)
    for name in known.board_parts:
        done = trial(board, boards=((name, known.part),))
        shutil.rmtree(done.folder)
        assert done.recording.status == 0, done.recording.output
        assert done.recording.properties["qnn"]["BOARD_PART"] == name


@pytest.mark.parametrize("where", ["boards", "stored"])
@pytest.mark.parametrize(
    ("board", "names"),
    [
        ("pynq-z2", ["tul.com.tw:pynq-z2:part0:1.0", "tulembedded.com:pynq-z2:part0:1.1"]),
        ("ultra96-v2", ["avnet-tria:ultra96v2:part0:1.3", "Avnet-tria:Ultra96v2:part0:1.3"]),
        ("kv260", ["xilinx.com:kv260_som:part0:2.1"]),
    ],
)
def test_the_boards_files_are_found_wherever_they_are_from(
    trial: Callable[..., Trial], where: str, board: str, names: list[str]
) -> None:
    part = load_board(board).part
    for name in names:
        others = ((f"example.com:{name.split(':')[1]}:part0:9.0", OTHER_PART),)
        done = trial(board, **{"boards": others, where: (*others, (name, part))})
        shutil.rmtree(done.folder)
        assert done.recording.status == 0, done.recording.output
        assert done.recording.properties["qnn"]["BOARD_PART"] == name


def test_a_table_of_more_than_a_million_bits_is_taken(trial: Callable[..., Trial]) -> None:
    done = trial()
    rtl = done.folder / "rtl"
    source = rtl.resolve()
    rtl.unlink()
    shutil.copytree(source, rtl)
    table = next(path for path in sorted((rtl / "data").glob("*.mem")) if path.name != "graph_hash.mem")
    table.write_text(f"{'0' * 64}\n" * 5000)
    again = done.again()
    assert again.status == 0, again.output
    without = done.again(mutations=(Mutation("drop", "^set_param synth"),))
    assert "synth_1: [Synth 8-4556] size of variable 'memory'" in without.output


def test_jobs_are_passed_on(trial: Callable[..., Trial]) -> None:
    launched = trial(arguments=("7",)).recording.calls("launch_runs")
    assert [call[call.index("-jobs") + 1] for call in launched] == ["7"] * len(launched)


def test_a_second_run_replaces_the_first(trial: Callable[..., Trial]) -> None:
    done = trial()
    (done.out / "stale.rpt").write_text("of an earlier run")
    assert done.again().status == 0
    assert complaints(done) == {}
    assert not (done.out / "stale.rpt").exists()


def test_it_runs_from_any_folder(trial: Callable[..., Trial], tmp_path: Path) -> None:
    done = trial()
    shutil.rmtree(done.out)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    session = Session(parts=(done.board.part,), boards=((done.board.board_part, done.board.part),))
    again = record(done.folder / "vivado" / RUN, session, tmp_path / "recorder", cwd=elsewhere)
    assert again.status == 0, again.output
    assert list(check_outputs(done)) == [] and list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("group", ["xilinx_anylanguagesynthesis", "xilinx_verilogsynthesis"])
@pytest.mark.parametrize("left_out", ["*.mem", "*/qnn_hash_rom.sv"])
def test_files_travel_though_the_packager_leaves_them_out(
    trial: Callable[..., Trial], left_out: str, group: str
) -> None:
    done = trial(left_out=left_out, synthesis_group=group)
    assert complaints(done, timing=False) == {}, done.recording.output
    kind = {".mem": "mem", ".sv": "systemVerilogSource"}[Path(left_out).suffix]
    added = [Path(values[-1]).name for values in done.recording.calls("ipx::add_file")]
    told = {Path(path).name for path, values in done.recording.properties.items() if values.get("TYPE") == kind}
    assert told and len(added) == len(told), "a file without a type is none of the memory files of the IP"


def test_pythons_own_interpreter_serves(trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter", reason="a Python without tkinter")
    monkeypatch.setattr("shutil.which", lambda *_: None)
    assert "tkinter" in str(interpreter())
    done = trial()
    assert complaints(done) == {}, done.recording.output


def test_a_path_may_hold_blanks(trial: Callable[..., Trial], tmp_path: Path) -> None:
    done = trial()
    folder = tmp_path / "a build of mine"
    shutil.copytree(done.folder, folder)
    session = Session(parts=(done.board.part,), boards=((done.board.board_part, done.board.part),))
    again = record(folder / "vivado" / RUN, session, tmp_path / "recorder")
    assert complaints(replace(done, folder=folder, recording=again), timing=False) == {}, again.output


@pytest.mark.parametrize("name", ["50%", "build(1)", "[mine]", "a,b", "$HOME", "it's"])
def test_a_path_that_vivado_does_not_take_is_refused_at_once(
    trial: Callable[..., Trial], tmp_path: Path, name: str
) -> None:
    done = trial()
    shutil.copytree(done.folder, tmp_path / name)
    session = Session(parts=(done.board.part,), boards=((done.board.board_part, done.board.part),))
    again = record(tmp_path / name / "vivado" / RUN, session, tmp_path / "recorder")
    assert again.status != 0
    assert "Vivado takes no such character in the name of a folder; move the build" in again.output, again.output
    assert not again.named("packaged")


@pytest.mark.parametrize("command", ["wait_on_run", "wait_on_runs"])
def test_either_name_of_the_wait_serves(trial: Callable[..., Trial], command: str) -> None:
    done = trial(without=(command,))
    assert complaints(done, timing=False) == {}, done.recording.output


NOT_READ = "CRITICAL WARNING: [Synth 8-4445] could not open $readmem data"
REFUSALS: dict[str, tuple[dict[str, object], str]] = {
    "setup-missed": ({"wns": -0.1}, r"timing not met at 100\.\d+ MHz.*-0\.1"),
    "hold-missed": ({"whs": -0.02}, r"hold.*-0\.02"),
    "pulse-width-missed": ({"pulse": -0.3}, "timing not met"),
    "no-constrained-path": ({"wns": None, "whs": None}, "no path has a timing constraint"),
    "synthesis-failed": ({"failing": ("synth_1",)}, "synth_1.*synth_design ERROR"),
    "implementation-failed": ({"failing": ("impl_1",)}, "impl_1.*ERROR"),
    "not-routed": ({"routed": False}, "not fully routed"),
    "rule-violated": ({"drc": ("Warning", "Critical Warning")}, "1 severe design rule violation"),
    "board-files-missing": ({"boards": ()}, r"tul\.com\.tw:pynq-z2:part0:1\.0.*not in this Vivado"),
    "board-files-of-another-part": (
        {"boards": (("tul.com.tw:pynq-z2:part0:1.0", OTHER_PART),)},
        f"{OTHER_PART}.*xc7z020clg400-1",
    ),
    "part-not-installed": ({"parts": (OTHER_PART,)}, "xc7z020clg400-1"),
    "release-too-old": ({"version": "2019.2"}, r"2019\.2.*2022\.1 to\s+2026\.1"),
    "release-too-new": ({"version": "2031.1"}, r"2031\.1"),
    "no-files-to-synthesize": ({"synthesis_group": "another"}, "no group of files to synthesize"),
    "table-not-read": (
        {"complaints": (("synth_1", f"{NOT_READ} file 'fc1.mem'"),)},
        r"synth_1: \[Synth 8-4445\] could not open \$readmem data file 'fc1\.mem'",
    ),
    "jobs-no-number": ({"arguments": ("all",)}, "number of jobs"),
}


@pytest.mark.parametrize("name", list(REFUSALS))
def test_it_refuses_and_leaves_no_pair(trial: Callable[..., Trial], name: str) -> None:
    session, sentence = REFUSALS[name]
    done = trial(**session)
    assert done.recording.status != 0, done.recording.output
    assert re.search(f"ERROR: .*{sentence}", done.recording.output), done.recording.output
    assert [path.name for path in _below(done.out)] == [], "a pair that must not be used was left"


def test_the_name_of_the_message_alone_is_no_missing_table(trial: Callable[..., Trial]) -> None:
    told = "set_msg_config  -id {[Synth 8-4445]}  -new_severity {ERROR} "
    done = trial(complaints=(("synth_1", told),))
    assert done.recording.status == 0, done.recording.output


def test_a_pair_of_an_earlier_run_does_not_survive_a_failure(trial: Callable[..., Trial]) -> None:
    done = trial()
    assert (done.out / f"{done.design.stem}.bit").is_file()
    assert done.again(wns=-0.1).status != 0
    assert _below(done.out) == []


# --- the checks themselves: every defect is noticed, by the one check it belongs to -----------------------------------


@dataclass(frozen=True)
class Defect:
    """Something wrong in the scripts, and who must notice it."""

    check: str
    """The one check that fails."""
    says: str
    """What its messages contain (a regular expression)."""
    calls: tuple[Mutation, ...] = ()
    edits: tuple[tuple[str, str, str], ...] = ()
    """(file, regular expression, what stands there instead)."""
    board: str = "pynq-z2"


def drop(pattern: str) -> tuple[Mutation, ...]:
    return (Mutation("drop", pattern),)


def twice(pattern: str) -> tuple[Mutation, ...]:
    return (Mutation("twice", pattern),)


def other(pattern: str, text: str) -> tuple[Mutation, ...]:
    return (Mutation("replace", pattern, text),)


PS7, PSU = "/processing_system7_0", "/zynq_ultra_ps_e_0"
INTERFACE, NET, ASSIGN = "^connect_bd_intf_net .*", "^connect_bd_net .*", "^assign_bd_address .*"

DEFECTS: dict[str, Defect] = {
    # streams
    "stream-in-left-out": Defect("streams", "qnn_0/s_axis is connected to nothing", drop(INTERFACE + "/qnn_0/s_axis")),
    "stream-out-left-out": Defect("streams", "S_AXIS_S2MM is connected to nothing", drop(INTERFACE + "/qnn_0/m_axis")),
    "stream-connected-twice": Defect("streams", "M_AXIS_MM2S is connected to", twice(INTERFACE + "/qnn_0/s_axis")),
    "stream-looped-back": Defect(
        "streams",
        "S_AXIS_S2MM is connected to",
        other("(^connect_bd_intf_net .*)/qnn_0/s_axis", r"\1/axi_dma_0/S_AXIS_S2MM"),
    ),
    # AXI
    "control-port-left-out": Defect("memory_mapped", "M_AXI_GP0 reaches", drop(INTERFACE + PS7 + "/M_AXI_GP0")),
    "control-port-left-out-zu": Defect(
        "memory_mapped", "M_AXI_HPM0_FPD reaches", drop(INTERFACE + PSU + "/M_AXI_HPM0_FPD"), board="zcu104"
    ),
    "accelerator-registers-left-out": Defect(
        "memory_mapped", "s_axil is connected 0", drop(INTERFACE + "/qnn_0/s_axil")
    ),
    "dma-registers-left-out": Defect("memory_mapped", "S_AXI_LITE is connected 0", drop(INTERFACE + "S_AXI_LITE")),
    "dma-reads-left-out": Defect("memory_mapped", "M_AXI_MM2S reaches", drop(INTERFACE + "M_AXI_MM2S")),
    "dma-writes-left-out": Defect("memory_mapped", "M_AXI_S2MM reaches", drop(INTERFACE + "M_AXI_S2MM")),
    "memory-port-left-out": Defect("memory_mapped", "S_AXI_HP0 is connected 0", drop(INTERFACE + PS7 + "/S_AXI_HP0")),
    "memory-port-connected-twice": Defect("memory_mapped", "S_AXI_HP0 is connected 2", twice(INTERFACE + "/S_AXI_HP0")),
    "interconnect-too-small": Defect(
        "memory_mapped", "S02_AXI is connected 0", other("(^set_property .*NUM_SI) 2", r"\1 3")
    ),
    # processor
    "idle-port-left-on": Defect(
        "processor",
        "M_AXI_HPM1_FPD is switched on",
        other("PSU__USE__M_AXI_GP1 0", "PSU__USE__M_AXI_GP1 1"),
        board="kv260",
    ),
    "idle-port-left-to-the-preset": Defect(
        "processor", "M_AXI_HPM0_LPD is switched on", other("CONFIG.PSU__USE__M_AXI_GP2 0", ""), board="ultra96-v2"
    ),
    "no-preset": Defect("processor", "preset of a board", other('(apply_board_preset) "?1"?', r"\1 0")),
    "memory-pins-not-external": Defect("processor", "DDR does not lead out", other("FIXED_IO, DDR", "FIXED_IO")),
    # clock
    **{
        f"clock-left-out-{name}": Defect("clocks", f"{pin} is driven by nothing", drop(f"{NET}{pin}"))
        for name, pin in {
            "accelerator": "/qnn_0/aclk",
            "dma-registers": "/axi_dma_0/s_axi_lite_aclk",
            "dma-reads": "/axi_dma_0/m_axi_mm2s_aclk",
            "dma-writes": "/axi_dma_0/m_axi_s2mm_aclk",
            "control-port": f"{PS7}/M_AXI_GP0_ACLK",
            "memory-port": f"{PS7}/S_AXI_HP0_ACLK",
            "reset-block": "/slowest_sync_clk",
            "interconnect": "/control_smartconnect/aclk",
        }.items()
    },
    "clock-left-out-memory-port-zu": Defect(
        "clocks", "saxihp0_fpd_aclk is driven by nothing", drop(NET + "/saxihp0_fpd_aclk"), board="zcu104"
    ),
    "clock-left-out-control-port-zu": Defect(
        "clocks", "maxihpm0_fpd_aclk is driven by nothing", drop(NET + "/maxihpm0_fpd_aclk"), board="ultra96-v2"
    ),
    "two-clock-domains": Defect(
        "clocks",
        "qnn_0/aclk is driven by .*FCLK_CLK1",
        (
            *other("CONFIG.PCW_EN_CLK0_PORT 1", "CONFIG.PCW_EN_CLK0_PORT 1 CONFIG.PCW_EN_CLK1_PORT 1"),
            *other("(^connect_bd_net .*)FCLK_CLK0 (/qnn_0/aclk)", r"\1FCLK_CLK1 \2"),
        ),
    ),
    "clock-with-two-drivers": Defect(
        "clocks",
        "is driven by .*FCLK_CLK0.*FCLK_CLK1",
        (
            *other("CONFIG.PCW_EN_CLK0_PORT 1", "CONFIG.PCW_EN_CLK0_PORT 1 CONFIG.PCW_EN_CLK1_PORT 1"),
            *other("(^connect_bd_net .*/FCLK_CLK)0 (/qnn_0/aclk)", r"\g<0>"),
            *other(
                "^connect_bd_net (.*)/FCLK_CLK0 (/qnn_0/aclk)", rf"connect_bd_net {PS7}/FCLK_CLK1 {PS7}/FCLK_CLK0 \2"
            ),
        ),
    ),
    "interface-of-no-clock": Defect("clocks", "m_axis belongs to no clock", edits=((WRAPPER, ":m_axis,", ","),)),
    # resets
    "reset-left-out-accelerator": Defect("resets", "qnn_0/aresetn has 0 drivers", drop(NET + "/qnn_0/aresetn")),
    "reset-left-out-dma": Defect("resets", "axi_resetn has 0 drivers", drop(NET + "/axi_resetn")),
    "reset-left-out-interconnect": Defect(
        "resets", "memory_smartconnect/aresetn has 0", drop(NET + "/memory_smartconnect/aresetn")
    ),
    "reset-block-not-reset": Defect("resets", "ext_reset_in has 0 drivers", drop(NET + "/ext_reset_in")),
    "reset-upside-down": Defect(
        "resets", "is ACTIVE_LOW, its driver", other("peripheral_aresetn (/qnn_0)", r"peripheral_reset \1")
    ),
    "reset-past-the-block": Defect(
        "resets", "in step with no clock", other("/reset_0/peripheral_aresetn (/qnn_0)", rf"{PS7}/FCLK_RESET0_N \1")
    ),
    # frequency
    "another-clock-asked": Defect(
        "frequency", "ought to be 100", other("FPGA0_PERIPHERAL_FREQMHZ 100", "FPGA0_PERIPHERAL_FREQMHZ 100.5")
    ),
    "clock-of-its-own": Defect(
        "frequency", "FREQ_HZ", edits=((WRAPPER, "ASSOCIATED_RESET", "FREQ_HZ 100000000, ASSOCIATED_RESET"),)
    ),
    # addresses
    "address-overlaps": Defect("addresses", "overlap", other("-offset 0x40010000", "-offset 0x4000F000")),
    "address-out-of-the-window": Defect(
        "addresses", "outside the window", other("-offset 0x40010000", "-offset 0x80010000")
    ),
    "address-out-of-the-window-zu": Defect(
        "addresses", "outside the window", other("-offset 0xA0010000", "-offset 0xB0000000"), board="zcu104"
    ),
    "address-not-aligned": Defect("addresses", "multiple of itself", other("-offset 0x40010000", "-offset 0x40010800")),
    "address-no-power-of-two": Defect(
        "addresses", "power of two", other("(-offset 0x40010000 -range) 0x1000", r"\1 0x1800")
    ),
    "address-range-too-small": Defect(
        "addresses", "can be reached", other("(-offset 0x40000000 -range) 0x10000", r"\1 0x1000")
    ),
    "address-elsewhere": Defect("addresses", r"\.hwh", other("-offset 0x40010000", "-offset 0x40020000")),
    "address-left-out": Defect("addresses", "registers are at", drop(ASSIGN + "/qnn_0/s_axil")),
    "address-given-twice": Defect("addresses", "registers are at", twice(ASSIGN + "/qnn_0/s_axil")),
    "addresses-left-to-vivado": Defect(
        "addresses", "Vivado's choice", other(ASSIGN + "/qnn_0/s_axil.*", "assign_bd_address")
    ),
    "memory-half-reached": Defect(
        "addresses", "Data_S2MM reaches", other("(-range) 0x20000000 (.*Data_S2MM)", r"\1 0x10000000 \2")
    ),
    "memory-not-reached": Defect("addresses", "Data_MM2S reaches", drop(ASSIGN + "Data_MM2S")),
    "on-chip-memory-reachable": Defect(
        "addresses", "LPS_OCM", drop("^exclude_bd_addr_seg .*Data_MM2S.*HP0_LPS_OCM"), board="zcu104"
    ),
    # DMA
    "length-of-14-bits": Defect(
        "dma", "c_sg_length_width is 14", other("c_sg_length_width 26", "c_sg_length_width 14")
    ),
    "length-left-to-the-default": Defect("dma", "c_sg_length_width is 14", other("CONFIG.c_sg_length_width 26", "")),
    "realignment": Defect("dma", "c_include_mm2s_dre is 1", other("c_include_mm2s_dre 0", "c_include_mm2s_dre 1")),
    "long-bursts": Defect("dma", "c_s2mm_burst_size is 256", other("c_s2mm_burst_size 16", "c_s2mm_burst_size 256")),
    "long-addresses": Defect("dma", "c_addr_width is 64", other("c_addr_width 32", "c_addr_width 64")),
    # widths
    "narrow-reads": Defect(
        "widths", "M_AXI_MM2S has 32", other("c_m_axi_mm2s_data_width 64", "c_m_axi_mm2s_data_width 32")
    ),
    "narrow-writes": Defect("widths", "M_AXI_S2MM has 32", other("CONFIG.c_m_axi_s2mm_data_width 64", "")),
    "narrow-stream": Defect(
        "widths", "M_AXIS_MM2S has 32", other("c_m_axis_mm2s_tdata_width 64", "c_m_axis_mm2s_tdata_width 32")
    ),
    "narrow-memory-port": Defect("widths", "S_AXI_HP0 has 32", other("HP0_DATA_WIDTH 64", "HP0_DATA_WIDTH 32")),
    "narrow-memory-port-zu": Defect(
        "widths", "S_AXI_HP0_FPD has 64", other("SAXIGP2__DATA_WIDTH 128", "SAXIGP2__DATA_WIDTH 64"), board="ultra96-v2"
    ),
    "narrow-accelerator": Defect(
        "widths", "m_axis has 32", edits=((WRAPPER, r"\[63:0\] m_axis_tdata", "[31:0] m_axis_tdata"),)
    ),
    # part
    "another-board": Defect(
        "part", f"is for {OTHER_PART}", other("(^set_property board_part) [^ ]+", rf"\1 {OTHER_BOARD}")
    ),
    "packaged-for-another-part": Defect(
        "part", "project packaging is for", other("(^create_project .*packaging.*-part) .*", rf"\1 {OTHER_PART}")
    ),
    # sources
    "rtl-file-left-out": Defect(
        "sources", r"qnn_shell\.sv is not in the IP", edits=((SETTINGS, r"^ +\S*/qnn_shell\.sv\n", ""),)
    ),
    "table-left-out": Defect(
        "sources", r"graph_hash\.mem is not in the IP", edits=((SETTINGS, r"^ +\S*/graph_hash\.mem\n", ""),)
    ),
    "one-table-for-another": Defect(
        "sources",
        r"graph_hash\.mem in the IP differs",
        other(r"(^file copy .*)/graph_hash\.mem (.*)$", r"\1/../qnn_top.sv \2/graph_hash.mem"),
    ),
    "large-tables-not-taken": Defect("sources", "more than a million bits", drop("^set_param synth")),
    "missing-tables-passed-over": Defect("sources", "compute with zeros", drop("^set_msg_config")),
    # order
    "not-validated": Defect("order", "validate_bd_design: never", drop("^validate_bd_design")),
    "validated-too-early": Defect(
        "order",
        "validate_bd_design comes before the last change",
        edits=(
            ("run.tcl", r"^(\s*)assign_addresses$", r"\1validate_bd_design\n\1assign_addresses"),
            ("block_design.tcl", r"^\s*validate_bd_design$", ""),
        ),
    ),
    # outputs
    "handoff-not-copied": Defect("outputs", r"\.hwh is missing", drop(r"^file copy .*\.hwh")),
    "handoff-under-another-name": Defect(
        "outputs", r"design_1\.hwh is not of this build", other(r"(^file copy .*)/[^/]*\.hwh$", r"\1/design_1.hwh")
    ),
    "report-not-made": Defect("outputs", r"drc\.rpt is missing", drop("^report_drc")),
    "bitstream-not-written": Defect("outputs", r"\.bit is missing", drop("^write_bitstream")),
    # timing
    "timing-not-checked": Defect("timing", "were left", edits=(("run.tcl", r"\[require_timing [^\]]*\]", "{}"),)),
    "timing-checked-too-late": Defect(
        "timing",
        "were left",
        edits=(
            ("run.tcl", r"^(\s*)set timing (\[require_timing [^\]]*\])$", r"\1set timing {}"),
            ("run.tcl", r"^(\s*)(collect .*)$", r"\1\2\n\1require_timing $reports $clock_mhz"),
        ),
    ),
    # hash
    "hash-of-another-build": Defect(
        "hash",
        "result.txt does not hold",
        edits=((SETTINGS, r"(variable graph_hash) \w+", r"\1 0123456789abcdef0123456789abcdef"),),
    ),
}


@pytest.mark.parametrize("name", list(DEFECTS))
def test_a_defect_is_noticed_by_its_check_alone(trial: Callable[..., Trial], name: str) -> None:
    defect = DEFECTS[name]
    done = trial(defect.board, edits=defect.edits, mutations=defect.calls)
    hit = {pattern for pattern, *_ in done.recording.named("mutated")}
    assert hit == {mutation.pattern for mutation in defect.calls}, "a mutation matched no call: the defect is not there"
    # Calls that are changed make no difference to what the scripts do when timing is missed.
    found = complaints(done, timing=bool(defect.edits))
    assert list(found) == [defect.check], f"{name}: noticed by {found or 'no check'}"
    assert any(re.search(defect.says, sentence) for sentence in found[defect.check]), found[defect.check]


# Calls that may be left out without a check noticing, and why that is well.
HARMLESS = {
    r"^file delete ": "on the first run there is nothing to delete; a second run has a test of its own",
    r"^set_property target_language Verilog ": "Vivado's default",
    r"^set_property file_type ": "what Vivado makes of these suffixes by itself",
    r"^update_compile_order ": "the top is set by name",
    r"^set_property (version|display_name) ": "the default, and a text for people",
    r"^set_property (range|width|usage) .*/reg0$": "what the packager makes of 12 address bits by itself",
    r"^ipx::(create_xgui_files|update_checksums|check_integrity) ": "for people, who open the IP in Vivado",
    r"^set_property board_connections ": "the memory is on the module, the carrier adds pins that are not used",
    r"^set_property -dict .*NUM_SI 2 .*NUM_MI 1 .*NUM_CLKS 1": "the defaults of a SmartConnect",
    r"^generate_target ": "launching synthesis generates what is missing",
    r"^set_property STEPS\.POST_ROUTE_PHYS_OPT_DESIGN\.IS_ENABLED ": "an effort, no part of the design",
}


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_no_call_can_be_left_out_unnoticed(trial: Callable[..., Trial], board: str) -> None:
    done = trial(board)
    calls = done.recording.named("call")
    unnoticed = []
    for number, call in enumerate(calls):
        text = " ".join(call)
        if re.match(r"(ipx::)?(get|current)_|version ", text) or any(re.search(known, text) for known in HARMLESS):
            continue
        shutil.rmtree(done.out, ignore_errors=True)
        without = replace(done, recording=done.again(mutations=(Mutation("nth", str(number)),)))
        assert without.recording.named("mutated") == [(str(number), *call)], "the script took another way"
        if not complaints(without, timing=False):
            unnoticed.append(text)
    assert not unnoticed


def test_every_check_has_a_defect() -> None:
    assert {defect.check for defect in DEFECTS.values()} == CHECKS.keys() - {"ran"}


def test_all_five_boards_are_tried() -> None:
    assert {board.name for board in list_boards()} >= {"pynq-z1", "pynq-z2", "zcu104", "ultra96-v2", "kv260"}


# --- the stand-in: what Vivado does not have is an error --------------------------------------------------------------

PRELUDE = f"""\
create_project demo demo -part {OTHER_PART}
create_bd_design system
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma
"""

MISTAKES: dict[str, tuple[str, str]] = {
    "unknown-command": ("validate_bd_desing", "invalid command name"),
    "unknown-option": ("launch_runs synth_1 -job 4", "Unknown option '-job'"),
    "option-without-a-value": ("create_bd_cell x -vlnv", "needs a value"),
    "too-many-words": ("create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 a b", "Too many positional"),
    "unknown-ip": ("create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dmaa:7.1 x", "not in the catalog"),
    "wrong-version-of-an-ip": ("create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:8.0 x", "not in the catalog"),
    "ip-of-another-family": ("create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e x", "not supported"),
    "cell-of-the-same-name": ("create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma", "exists already"),
    "unknown-parameter": ("set_property CONFIG.c_length_width 26 [get_bd_cells dma]", "Parameter does not exist"),
    "parameter-in-capitals": ("set_property CONFIG.C_SG_LENGTH_WIDTH 26 [get_bd_cells dma]", "does not exist"),
    "property-of-a-text": ("set_property CONFIG.c_include_sg 0 /dma", "not a valid first class Tcl object"),
    "property-of-nothing": ("set_property CONFIG.c_include_sg 0 [get_bd_cells dmaa]", "at least one object"),
    "uneven-dictionary": ("set_property -dict {CONFIG.c_include_sg} [get_bd_cells dma]", "names and values"),
    "pin-that-is-not-there": (
        "connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins dma/aclk]",
        "needs two pins",
    ),
    "pin-that-is-not-there-yet": (
        "connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins ps/S_AXI_HP0_ACLK]",
        "needs two pins",
    ),
    "pin-that-is-gone": (
        "set_property CONFIG.c_include_sg 0 [get_bd_cells dma]\n"
        "connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins dma/m_axi_sg_aclk]",
        "needs two pins",
    ),
    "interface-as-a-pin": ("connect_bd_net ps/FCLK_CLK0 dma/S_AXI_LITE", "is no pin"),
    "segment-that-is-not-there": ("assign_bd_address dma/S_AXI_LITE/reg0", "no address segment"),
    "space-that-is-not-there": (
        "assign_bd_address -target_address_space ps/data dma/S_AXI_LITE/Reg",
        "no address space",
    ),
    "file-that-is-not-there": ("add_files nowhere.v", "does not exist"),
    "part-that-is-not-there": ("set_property part xc7z999 [current_project]", "could not be found"),
    "board-that-is-not-there": ("set_property board_part a:b:part0:1.0 [current_project]", "not found"),
    "step-that-is-not-there": ("launch_runs impl_1 -to_step write_bitsream", "has no step"),
    "run-that-did-not-end": ("open_run impl_1", "not complete"),
    "bitstream-of-nothing": ("write_bitstream x.bit", "No open design"),
    "systemverilog-top": (
        'set f [open t.sv w]; puts $f "module t (input logic aclk);\\nendmodule"; close $f; add_files t.sv\n'
        "create_bd_cell -type module -reference t t_0",
        "SystemVerilog",
    ),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_the_stand_in_refuses_what_vivado_refuses(tmp_path: Path, name: str) -> None:
    mistake, sentence = MISTAKES[name]
    script = tmp_path / "script.tcl"
    session = Session(parts=(OTHER_PART,))
    script.write_text(PRELUDE)
    assert record(script, session, tmp_path / "recorder").status == 0
    shutil.rmtree(tmp_path / "demo")
    script.write_text(f"{PRELUDE}{mistake}\n")
    done = record(script, session, tmp_path / "recorder")
    assert done.status == 1
    assert sentence in done.output, done.output
