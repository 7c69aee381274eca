# SPDX-License-Identifier: Apache-2.0
"""Prints `qnn_tb`, the top testbench of a build: clock, source, `qnn_top`, sink, one monitor a stream.

The parts are in `rtl/tb/`; what is printed here only connects them. Python touches `u_control` and `u_axil` alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qnn_hw.errors import QnnError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[\d+\])?(\.[A-Za-z_][A-Za-z0-9_]*(\[\d+\])?)*")
_CONTROL_SIGNALS = ("frames", "frames_per_transfer", "tlast_mode", "seed", "cycle", "events", "report", "run")


def render_testbench(
    streams: Sequence[StreamProbe],
    *,
    dma_width_bits: int,
    beats_in: int,
    beats_out: int,
    top: str = "qnn_top",
    shell_path: str = "u_top.u_shell",
) -> str:
    """Return the SystemVerilog text of module `qnn_tb` around `top`, instantiated as `u_top` with Counters = 1.

    With QNN_OUTSIDE_ONLY defined the inner streams are not looked at.

    Args:
        streams: the inner streams to watch, in pipeline order.
        dma_width_bits: bits of an outside beat.
        beats_in: outside input beats of a frame.
        beats_out: outside output beats of a frame.
        top: module with the outside ports of `qnn_shell`.
        shell_path: the instance whose `core_aresetn` resets the core.
    """
    names = [stream.name for stream in streams]
    for name in names:
        if not _IDENTIFIER.fullmatch(name) or names.count(name) > 1:
            raise QnnError(f"testbench: stream name {name!r} is not a unique identifier, rename it")
    for stream in streams:
        if not _PATH.fullmatch(stream.path):
            raise QnnError(f"testbench: stream {stream.name} has path {stream.path!r}, not a hierarchical name")
    keep_bits = dma_width_bits // 8
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated: the testbench of this build. Parts and their contracts: tb/qnn_tb_*.sv.",
        "module qnn_tb;",
        "  logic aclk, aresetn, core_aresetn, run, rewind_source, report, source_done, sink_done;",
        "  int events;",
        "  logic [63:0] cycle;",
        "  logic [31:0] source_beats, frames, frames_per_transfer, tlast_mode, stall_in, stall_out, hold_out, seed;",
        f"  logic [{len(streams) + 1}:0] activity;  // source, sink, streams",
        *_bus("in", dma_width_bits, keep_bits),
        *_bus("out", dma_width_bits, keep_bits),
        "  logic [11:0] awaddr, araddr;",
        "  logic [31:0] wdata, rdata;",
        "  logic [3:0] wstrb;",
        "  logic [1:0] bresp, rresp;",
        "  logic awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;",
        "",
        f"  assign core_aresetn = {shell_path}.core_aresetn;",
        "",
        *_instance(
            "qnn_tb_control",
            "u_control",
            {
                **{name: name for name in ("aclk", "aresetn", "source_done", "sink_done", "source_beats")},
                "activity": "|activity",
                **{name: name for name in ("rewind_source", "stall_in", "stall_out", "hold_out", *_CONTROL_SIGNALS)},
            },
        ),
        *_instance(
            "qnn_tb_source",
            "u_source",
            {
                **{name: name for name in ("aclk", "aresetn", "rewind_source", *_CONTROL_SIGNALS)},
                "stall": "stall_in",
                "beats": "source_beats",
                "done": "source_done",
                "activity": "activity[0]",
                **{f"m_axis_{part}": f"in_{part}" for part in _AXIS},
            },
            {"Width": dma_width_bits, "Beats": beats_in},
        ),
        *_instance(
            "qnn_tb_sink",
            "u_sink",
            {
                **{name: name for name in ("aclk", "aresetn", "core_aresetn", *_CONTROL_SIGNALS)},
                "stall": "stall_out",
                "hold": "hold_out",
                "done": "sink_done",
                "activity": "activity[1]",
                **{f"s_axis_{part}": f"out_{part}" for part in _AXIS},
            },
            {"Width": dma_width_bits, "Beats": beats_out},
        ),
        *_instance(
            "qnn_tb_axil",
            "u_axil",
            {"aclk": "aclk", "aresetn": "aresetn", **{f"m_axil_{part}": part for part in _AXIL}},
        ),
        *_instance(
            top,
            "u_top",
            {
                "aclk": "aclk",
                "aresetn": "aresetn",
                **{f"s_axil_{part}": part for part in _AXIL},
                **{f"s_axis_{part}": f"in_{part}" for part in _AXIS},
                **{f"m_axis_{part}": f"out_{part}" for part in _AXIS},
            },
            {"Counters": "1'b1"},
        ),
    ]
    if streams:
        # A core that another tool wrote has no streams inside that one could name.
        lines += ["`ifdef QNN_OUTSIDE_ONLY", f"  assign activity[{len(streams) + 1}:2] = '0;", "`else"]
    for index, stream in enumerate(streams):
        lines += _instance(
            "qnn_tb_monitor",
            f"u_watch_{stream.name}",
            {
                "aclk": "aclk",
                "aresetn": "core_aresetn",
                "report": "report",
                "events": "events",
                "tdata": f"{stream.path}_tdata",
                "tvalid": f"{stream.path}_tvalid",
                "tready": f"{stream.path}_tready",
                "activity": f"activity[{index + 2}]",
            },
            {"Name": f'"{stream.name}"', "Width": stream.width_bits},
        )
    lines += ["`endif"] if streams else []
    lines.append("endmodule")
    return "\n".join(lines) + "\n"


_AXIS = ("tdata", "tkeep", "tlast", "tvalid", "tready")
_AXIL = (
    *("awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp", "bvalid", "bready"),
    *("araddr", "arvalid", "arready", "rdata", "rresp", "rvalid", "rready"),
)


def _bus(name: str, data_bits: int, keep_bits: int) -> list[str]:
    return [
        f"  logic [{data_bits - 1}:0] {name}_tdata;",
        f"  logic [{keep_bits - 1}:0] {name}_tkeep;",
        f"  logic {name}_tlast, {name}_tvalid, {name}_tready;",
    ]


def _instance(
    module: str, name: str, ports: dict[str, str], parameters: dict[str, int | str] | None = None
) -> list[str]:
    head = f"  {module}"
    if parameters:
        head += " #(" + ", ".join(f".{key}({value})" for key, value in parameters.items()) + ")"
    body = [f"      .{port}({signal})," for port, signal in ports.items()]
    return [f"{head} {name} (", *body[:-1], body[-1].rstrip(","), "  );", ""]


@dataclass(frozen=True, slots=True)
class StreamProbe:
    """One inner stream: its name, the path before `_tdata/_tvalid/_tready`, bits of a beat, beats of a frame."""

    name: str
    path: str
    width_bits: int
    beats_per_frame: int
