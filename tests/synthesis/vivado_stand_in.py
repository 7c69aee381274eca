# SPDX-License-Identifier: Apache-2.0
"""What stands in for Vivado, which is on no machine these tests have run on.

- `vivado_harness.tcl`: a real Tcl interpreter runs the scripts; Vivado's commands answer what the scripts rely on, and
  write files where Vivado would. What the scripts ask for is judged in test_vivado_tcl.py.
- `install`: a program called `vivado` that prints the documented banner, writes down its arguments, folder and
  environment, and hands the script to that interpreter. It shows how the driver handles a process.
- `write_reports`: report files written by hand. Their shape was compared with excerpts their owners have published:
  hierarchical utilization of 2023.1 (7 series), 2025.2 (UltraScale+) and 2026.1, a timing summary of 2021.2. No whole
  file of a release after 2022 was at hand.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

HARNESS = Path(__file__).with_name("vivado_harness.tcl")
BANNER = {
    True: "vivado v{version} (64-bit)\nTool Version Limit: 2024.05\nSW Build 5076996 on Wed May 22 18:36:09 MDT 2024\n",
    False: "Vivado v{version} (64-bit)\nSW Build 3526262 on Mon Apr 18 15:47:01 MDT 2022\n",
}
"""What `vivado -version` prints: from 2024.1 on, and before."""

PATH_FROM = "qnn_system_i/qnn_0/inst/u_top/u_core/u_fc1/sum_reg[3]/C"
PATH_TO = "qnn_system_i/qnn_0/inst/u_top/u_core/u_fc1/total_reg[9]/D"
"""The slowest path of the harness."""

# (depth, instance, module, LUT, logic LUT, LUTRAM, SRL, FF, RAMB36, RAMB18, URAM, DSP)
Row = tuple[int, str, str, int, int, int, int, int, int, int, int, int]

_PROGRAM = """\
#!{python}
import json, os, pathlib, subprocess, sys, time
if sys.argv[1:] == ["-version"]:
    print({banner!r})
    sys.exit(0)
pathlib.Path(os.environ["STAND_IN_CALLS"]).write_text(json.dumps(dict(
    arguments=sys.argv[1:], folder=os.getcwd(), files=sorted(os.listdir()), beside=sorted(os.listdir(".."))
)))
if os.environ.get("STAND_IN_HANGS"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path(os.environ["STAND_IN_HANGS"]).write_text(str(child.pid))
    child.wait()
if os.environ.get("STAND_IN_SILENT"):
    sys.exit(0)
jobs = sys.argv[sys.argv.index("-tclargs") + 1:]
script = str(pathlib.Path(sys.argv[sys.argv.index("-source") + 1]).resolve())
os.environ.update(STAND_IN_SCRIPT=script, STAND_IN_RELEASE={version!r})
sys.exit(subprocess.run(["tclsh", {harness!r}, *jobs]).returncode)
"""


def install(folder: Path, version: str) -> Path:
    """Write a stand-in for `vivado` of a release into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "vivado"
    banner = BANNER[version >= "2024"].format(version=version)
    path.write_text(
        _PROGRAM.format(python=sys.executable, banner=banner, version=version, harness=str(HARNESS)), encoding="utf-8"
    )
    path.chmod(0o755)
    return path


def by_hand(scripts: Path, reports: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the scripts as a person does, without the driver."""
    names = {"STAND_IN_SCRIPT": str(scripts / "run.tcl"), "STAND_IN_REPORTS": str(reports)}
    return subprocess.run(
        ["tclsh", str(HARNESS)],
        cwd=scripts,
        env={**os.environ, **names, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def head(title: str, command: str, *, version: str = "2024.1", state: str = "Routed") -> str:
    """The first lines of a report."""
    rule = "-" * 92
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved. Copyright 2022-2024 Advanced Micro Devices, Inc.
{rule}
| Tool Version : Vivado v.{version} (lin64) Build 5076996 Wed May 22 18:36:09 MDT 2024
| Date         : Mon Jul  1 18:56:03 2024
| Host         : host running 64-bit Ubuntu 22.04.4 LTS
| Command      : {command}
| Design       : qnn_system_wrapper
| Device       : xc7z020clg400-1
| Speed File   : -1
| Design State : {state}
{rule}

{title}
"""


def rows_of(operators: Iterable[str]) -> list[Row]:
    """A design whose operators have 100, 101, 102 ... LUTs, around them what the block design holds."""
    rows: list[Row] = [
        (0, "qnn_system_wrapper", "(top)", 9000, 8000, 600, 400, 11000, 4, 3, 0, 5),
        (1, "(qnn_system_wrapper)", "(top)", 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, "qnn_system_i", "qnn_system", 9000, 8000, 600, 400, 11000, 4, 3, 0, 5),
        (2, "axi_dma_0", "qnn_system_axi_dma_0_0", 1500, 1400, 0, 100, 2200, 2, 0, 0, 0),
        (2, "control_smartconnect", "qnn_system_control_smartconnect_0", 900, 900, 0, 0, 1100, 0, 0, 0, 0),
        (2, "qnn_0", "qnn_system_qnn_0_0", 5000, 4600, 300, 100, 6000, 2, 3, 0, 5),
        (3, "inst", "qnn_system_qnn_0_0_qnn_ip", 5000, 4600, 300, 100, 6000, 2, 3, 0, 5),
        (4, "u_top", "qnn_system_qnn_0_0_qnn_top", 5000, 4600, 300, 100, 6000, 2, 3, 0, 5),
        (5, "u_core", "qnn_system_qnn_0_0_qnn_core", 4000, 3600, 300, 100, 4000, 2, 3, 0, 5),
    ]
    for i, name in enumerate(operators):
        rows.append((6, f"u_{name}", f"qnn_mvu__xdcDup__{i}", 100 + i, 90 + i, 6, 4, 50, 0, 1, 0, 0))
        rows.append((7, f"(u_{name})", f"qnn_mvu__xdcDup__{i}", 40, 40, 0, 0, 20, 0, 0, 0, 0))
        rows.append((7, "u_weights", "qnn_weight_store", 60, 60, 0, 0, 30, 0, 1, 0, 0))
    rows.append((5, "u_shell", "qnn_system_qnn_0_0_qnn_shell", 700, 700, 0, 0, 900, 0, 0, 0, 0))
    rows.append((2, "memory_smartconnect", "qnn_system_memory_smartconnect_0", 1500, 1400, 0, 100, 1700, 0, 0, 0, 0))
    return rows


def utilization(rows: Sequence[Row], *, uram: bool = False, dsp: str = "DSP Blocks", **header: str) -> str:
    """A hierarchical utilization report; 7 series has no column for URAM."""
    titles = ["Instance", "Module", "Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18"]
    titles += ["URAM", dsp] if uram else [dsp]
    table = [titles]
    for depth, name, module, *counts in rows:
        numbers = counts if uram else [*counts[:-2], counts[-1]]
        table.append(["  " * depth + name, module, *map(str, numbers)])
    widths = [max(len(line[i]) for line in table) for i in range(len(titles))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def line(cells: Sequence[str]) -> str:
        # The first column is set to the left, the others to the right.
        texts = [cells[0].ljust(widths[0]), *(cells[i].rjust(widths[i]) for i in range(1, len(cells)))]
        return "| " + " | ".join(texts) + " |"

    body = "\n".join([rule, line(titles), rule, *(line(cells) for cells in table[1:]), rule])
    top = head("Utilization Design Information", "report_utilization -hierarchical -file utilization.rpt", **header)
    title = "1. Utilization by Hierarchy"
    return f"{top}\nTable of Contents\n-----------------\n{title}\n\n{title}\n{'-' * len(title)}\n\n{body}\n"


SUMMARY = [
    f"{kind}{what}" if what == "(ns)" else f"{kind} {what}"
    for worst, total in (("WNS", "TNS"), ("WHS", "THS"), ("WPWS", "TPWS"))
    for kind, what in ((worst, "(ns)"), (total, "(ns)"), (total, "Failing Endpoints"), (total, "Total Endpoints"))
]
"""Titles of the design timing summary."""


def _summary(wns: str, whs: str, wpws: str) -> list[str]:
    return [text for slack in (wns, whs, wpws) for text in (slack, "0.000", "0", "3626")]


def timing(
    wns: str = "0.512",
    whs: str = "0.021",
    wpws: str = "3.750",
    *,
    period: str = "10.000",
    met: bool = True,
    **header: str,
) -> str:
    """A timing summary."""
    rule = "-" * 96
    table = "\n".join(
        "  ".join(cell.rjust(len(title)) for title, cell in zip(SUMMARY, line, strict=True))
        for line in (SUMMARY, ["-" * len(title) for title in SUMMARY], _summary(wns, whs, wpws))
    )
    verdict = "All user specified timing constraints are met." if met else "Timing constraints are not met."
    return f"""{head("Timing Summary Report", "report_timing_summary -file timing.rpt", **header)}
{rule}
| Timer Settings
| --------------
{rule}

  Enable Multi Corner Analysis               :  Yes

check_timing report

Table of Contents
-----------------
1. checking no_clock (0)

{rule}
| Design Timing Summary
| ---------------------
{rule}

{table}


{verdict}


{rule}
| Clock Summary
| -------------
{rule}

Clock       Waveform(ns)         Period(ns)      Frequency(MHz)
-----       ------------         ----------      --------------
clk_fpga_0  {{0.000 5.000}}        {period}          100.000


{rule}
| Intra Clock Table
| -----------------
{rule}

Clock             WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints
-----             -------      -------  ---------------------  -------------------
clk_fpga_0          {wns}        0.000                      0                 8949

{rule}
From Clock:  clk_fpga_0
  To Clock:  clk_fpga_0

Max Delay Paths
--------------------------------------------------------------------------------------
Slack (MET) :             {wns}ns  (required time - arrival time)
  Source:                 {PATH_FROM}
                            (rising edge-triggered cell FDRE clocked by clk_fpga_0  {{rise@0.000ns fall@5.000ns}})
  Destination:            {PATH_TO}
"""


def write_reports(folder: Path, operators: Iterable[str], *, timing_report: str | None = None) -> Path:
    """Write the four reports of a design with these operators; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "utilization.rpt": utilization(rows_of(operators)),
        "timing.rpt": timing() if timing_report is None else timing_report,
        "route.rpt": "Design Route Status\n       # of nets with routing errors.......... :           0 :\n",
        "drc.rpt": "Report DRC\n           Checks found: 0\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
