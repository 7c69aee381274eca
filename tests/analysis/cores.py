# SPDX-License-Identifier: Apache-2.0
"""Many accelerators in one simulation, each with its own source and sink, for their cycles alone.

Beats carry zeros and results are not looked at, so that Verilator leaves the arithmetic out: a build with thirty
networks takes seconds. What is measured is what the shell's counters measure: every frame's last output beat, counted
from the first input beat, and the high-water mark of every queue.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qnn_hw.backends.rtl import Interface, print_core, print_top
from qnn_hw.backends.rtl.files import library_files
from qnn_hw.ir.graph import Graph
from qnn_hw.simulation import verilator

REPOSITORY = Path(__file__).resolve().parents[2]
MARK_BITS = 16
_AXIL_IN = ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready")
_AXIL_OUT = ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")


@dataclass(frozen=True, slots=True)
class Measured:
    """One accelerator's run.

    Attributes:
        frame_ends: for each frame the cycle of its last output beat, 0 being that of the first input beat.
        marks: name of a queue -> the most beats it held.
    """

    frame_ends: tuple[int, ...]
    marks: dict[str, int]

    @property
    def interval_cycles(self) -> int:
        """Cycles between the last two frames."""
        return self.frame_ends[-1] - self.frame_ends[-2]


def simulate_cores(
    cores: Sequence[tuple[Graph, Interface]], folder: Path, *, frames: int, watchdog: int = 50_000
) -> list[Measured]:
    """Send `frames` frames without a pause through every core; `folder` is for files.

    A core in which no frame leaves for `watchdog` cycles is given up: it has fewer `frame_ends`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generated = [_renamed(print_core(g) + print_top(g, o), i) for i, (g, o) in enumerate(cores)]
    bench = folder / "cores.sv"
    # A part of a network may have results of other than 32 bits.
    texts = [
        "// verilator lint_off WIDTH",
        *generated,
        "// verilator lint_on WIDTH",
        _testbench(cores, frames, watchdog),
    ]
    bench.write_text("\n".join(texts), encoding="utf-8")
    sources = []
    for name, text in library_files(bench.read_text()).items():
        (folder / name).write_text(text, encoding="utf-8")
        sources.append(folder / name)
    visible = folder / "cores.vlt"
    visible.write_text('`verilator_config\npublic_flat_rw -module "cores" -var "done"\n', encoding="utf-8")
    binary = verilator.build([*sources, bench, visible], "cores")
    events = folder / "events.txt"
    result = verilator.run(
        binary,
        test_module="tests.analysis.cores_cocotb",
        work_dir=folder,
        plusargs=[f"+qnn_events={events}"],
        python_path=[REPOSITORY],
    )
    if not result.passed:
        raise AssertionError("\n".join(f"{test.name}: {test.message}" for test in result.tests))
    return _read(events, cores)


def _read(events: Path, cores: Sequence[tuple[Graph, Interface]]) -> list[Measured]:
    ends: list[list[int]] = [[] for _ in cores]
    marks: list[dict[str, int]] = [{} for _ in cores]
    for line in events.read_text().splitlines():
        kind, number, value = line.split()
        if kind == "frame":
            ends[int(number)].append(int(value))
        else:
            names = [op.name for op in cores[int(number)][0].ops if op.keyword == "fifo"]
            word = int(value, 16)
            marks[int(number)] = {
                name: word >> (MARK_BITS * i) & ((1 << MARK_BITS) - 1) for i, name in enumerate(names)
            }
    return [Measured(tuple(e), m) for e, m in zip(ends, marks, strict=True)]


def _renamed(text: str, number: int) -> str:
    return re.sub(r"\bqnn_(core|top)\b", rf"qnn_\1_{number}", text)


def _testbench(cores: Sequence[tuple[Graph, Interface]], frames: int, watchdog: int) -> str:
    queues = [sum(op.keyword == "fifo" for op in graph.ops) for graph, _ in cores]
    parts = [_part(i, outside, queues[i]) for i, (_, outside) in enumerate(cores)]
    return f"""
module cores;
  logic aclk = 0, aresetn = 0, done = 0;
  int events;
  int unsigned reset = 0;
  logic [{len(cores) - 1}:0] finished;
  string file_name;
  initial if ($value$plusargs("qnn_events=%s", file_name)) events = $fopen(file_name, "w");
  always #5 aclk = !aclk;
  always_ff @(posedge aclk) begin
    reset <= reset + 1;
    if (reset == 16) aresetn <= 1;
    if (aresetn && &finished && !done) begin
      done <= 1;
      $fclose(events);
    end
  end
{"".join(parts)}
endmodule

module cores_part #(
    parameter int unsigned Number = 0,
    parameter int unsigned BeatsIn = 1,
    parameter int unsigned BeatsOut = 1,
    parameter int unsigned MarkWidth = 1
) (
    input logic aclk,
    input logic aresetn,
    input int events,
    output logic s_valid,
    input logic s_ready,
    input logic m_valid,
    input logic [MarkWidth-1:0] marks,
    output logic finished
);
  int unsigned sent, received, cycle, quiet;
  logic reported;
  assign s_valid = aresetn && sent < BeatsIn * {frames};
  assign finished = reported;
  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      sent <= 0; received <= 0; cycle <= 0; quiet <= 0; reported <= 0;
    end else begin
      if (s_valid && s_ready) sent <= sent + 1;
      if (sent != 0 || (s_valid && s_ready)) cycle <= cycle + 1;
      quiet <= m_valid ? 0 : quiet + 1;
      if (m_valid) begin
        received <= received + 1;
        if (received % BeatsOut == BeatsOut - 1) $fwrite(events, "frame %0d %0d\\n", Number, cycle);
      end
      if (!reported && ((received == BeatsOut * {frames} && quiet == 64) || quiet == {watchdog})) begin
        $fwrite(events, "marks %0d %h\\n", Number, marks);
        reported <= 1;
      end
    end
  end
endmodule
"""


def _part(number: int, outside: Interface, queues: int) -> str:
    width = outside.dma_width_bits
    tied = [*(f".s_axil_{name}('0)" for name in _AXIL_IN), *(f".s_axil_{name}()" for name in _AXIL_OUT)]
    marks = max(1, queues * MARK_BITS)
    value = f"u_{number}.fifo_high_water" if queues else "1'b0"
    return f"""
  logic s_valid_{number}, s_ready_{number}, m_valid_{number};
  qnn_top_{number} #(.Counters(1'b1)) u_{number} (
      .aclk(aclk), .aresetn(aresetn), {", ".join(tied)},
      .s_axis_tdata({width}'d0), .s_axis_tkeep('1), .s_axis_tlast(1'b0),
      .s_axis_tvalid(s_valid_{number}), .s_axis_tready(s_ready_{number}),
      .m_axis_tdata(), .m_axis_tkeep(), .m_axis_tlast(), .m_axis_tvalid(m_valid_{number}), .m_axis_tready(1'b1)
  );
  cores_part #(
      .Number({number}), .BeatsIn({outside.beats_in}), .BeatsOut({outside.beats_out}), .MarkWidth({marks})
  ) part_{number} (
      .aclk(aclk), .aresetn(aresetn), .events(events), .s_valid(s_valid_{number}), .s_ready(s_ready_{number}),
      .m_valid(m_valid_{number}), .marks({value}), .finished(finished[{number}])
  );
"""
