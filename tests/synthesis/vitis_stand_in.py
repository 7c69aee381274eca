# SPDX-License-Identifier: Apache-2.0
"""What stands in for Vitis HLS, which is on no machine these tests have run on.

- `TCL`: a real Tcl interpreter runs the generated script; the vendor's commands are procedures that write down how they
  were called. It shows what the script asks the tool for, not what the tool makes of it.
- `install`: a program under a vendor's name that prints the documented banner, writes down its arguments, folder and
  environment, and hands the script to that interpreter. It shows how the driver handles a process.
- `write_reports`: report files written by hand. Their shape was compared with files their owners have published: a
  `csynth.xml` of 2023.1, an `export_syn.xml` of 2022.2, the table of a co-simulation of 2024 (columns narrowed here);
  no file of a later release was at hand.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BANNER = {
    "vitis-run": "\n****** vitis-run v{version} (64-bit)\n  **** SW Build 5239630 on 2024-11-10-11:19:46\n",
    "vitis_hls": "Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v{version} (64-bit)\nSW Build 3526262\n",
    "vivado_hls": "Vivado(TM) HLS - High-Level Synthesis from C, C++ and SystemC v{version} (64-bit)\n",
}

HARNESS = """\
set record [open $::env(STAND_IN_RECORD) w]
foreach command {
    open_project set_top add_files open_solution set_part create_clock
    csim_design csynth_design cosim_design export_design
} {
    proc $command args [string map [list %COMMAND% $command] {
        puts $::record [join [linsert $args 0 %COMMAND%] "\\t"]
        flush $::record
        if {[info exists ::env(STAND_IN_FAILS)] && $::env(STAND_IN_FAILS) eq "%COMMAND%"} {
            puts "INFO: \\[HLS 200-10] Analyzing design file 'qnn_core.cpp' ..."
            puts "ERROR: \\[HLS 207-3776] use of undeclared identifier 'N' (qnn_core.cpp:42:7)"
            puts "ERROR: \\[HLS 200-1715] Encountered problem during source synthesis"
            error "Pre-synthesis failed."
        }
        if {"%COMMAND%" eq "csynth_design" && [info exists ::env(STAND_IN_REPORTS)]} {
            file mkdir vitis
            file copy $::env(STAND_IN_REPORTS) vitis/solution1
        }
    }]
}
source $::env(STAND_IN_SCRIPT)
"""

# tkinter takes the command exit away from its interpreter.
_TKINTER = """\
import os, sys, tkinter
tcl = tkinter.Tcl()
tcl.createcommand("exit", lambda status="0": (tcl.eval("flush stdout"), os._exit(int(status))))
tcl.eval("source {" + sys.argv[1] + "}")
"""

_PROGRAM = """\
#!{python}
import json, os, pathlib, sys
sys.path.insert(0, {root!r})
from tests.synthesis import vitis_stand_in as stand_in
arguments = sys.argv[1:]
if arguments in (["--version"], ["-version"]):
    print({banner!r})
    sys.exit(0)
pathlib.Path(os.environ["STAND_IN_CALLS"]).write_text(json.dumps(dict(
    arguments=arguments, folder=os.getcwd(), files=sorted(os.listdir()), environment=dict(os.environ)
)))
if os.environ.get("STAND_IN_HANGS"):
    import subprocess, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path(os.environ["STAND_IN_HANGS"]).write_text(str(child.pid))
    child.wait()
if os.environ.get("STAND_IN_SILENT"):
    sys.exit(0)
sys.exit(stand_in.run_tcl(pathlib.Path(arguments[-1]).resolve(), pathlib.Path(os.environ["STAND_IN_RECORD"])))
"""


def tcl() -> list[str] | None:
    """Words that run a Tcl file: `tclsh`, or the interpreter inside Python's tkinter; None without either."""
    if shutil.which("tclsh"):
        return ["tclsh"]
    probe = subprocess.run([sys.executable, "-c", "import tkinter"], capture_output=True)
    return [sys.executable, "-c", _TKINTER] if probe.returncode == 0 else None


def run_tcl(script: Path, record: Path, **environment: str) -> int:
    """Run a generated script with the vendor's commands recorded; what it prints goes to our stdout."""
    harness = record.with_suffix(".tcl")
    harness.write_text(HARNESS)
    words = tcl()
    assert words is not None, "no Tcl interpreter"
    names = {"STAND_IN_RECORD": str(record), "STAND_IN_SCRIPT": str(script)}
    return subprocess.run([*words, str(harness)], env={**os.environ, **environment, **names}).returncode


def recorded(record: Path) -> list[list[str]]:
    """The vendor's commands in order, each with its arguments."""
    return [line.split("\t") for line in record.read_text().splitlines()]


def install(folder: Path, command: str, version: str) -> Path:
    """Write a stand-in for `command` of a release into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / command
    root = str(Path(__file__).resolve().parents[2])
    banner = BANNER[command].format(version=version)
    path.write_text(_PROGRAM.format(python=sys.executable, root=root, banner=banner))
    path.chmod(0o755)
    return path


def figures(lut: int, ff: int, bram: int = 0, dsp: int = 0) -> str:
    """Resources in the list of modules: counts, what the device has, and the share of it."""
    counts = {"BRAM": bram, "DSP": dsp, "FF": ff, "LUT": lut, "URAM": 0}
    lines = []
    for key, count in counts.items():
        tag = "BRAM_18K" if key == "BRAM" else key
        lines += [f"<{tag}>{count}</{tag}>", f"<AVAIL_{key}>1000</AVAIL_{key}>", f"<UTIL_{key}>~0</UTIL_{key}>"]
    return "".join(lines)


def module_xml(name: str, lut: int, ff: int, interval: str, bram: int = 0, dsp: int = 0) -> str:
    """One entry of `ModuleInformation`."""
    return f"""
        <Module>
            <Name>{name}</Name>
            <Loops/>
            <PerformanceEstimates>
                <SummaryOfTimingAnalysis>
                    <TargetClockPeriod>10.00</TargetClockPeriod>
                    <ClockUncertainty>2.70</ClockUncertainty>
                    <EstimatedClockPeriod>6.765</EstimatedClockPeriod>
                </SummaryOfTimingAnalysis>
                <SummaryOfOverallLatency>
                    <Best-caseLatency>{interval}</Best-caseLatency>
                    <Average-caseLatency>{interval}</Average-caseLatency>
                    <Worst-caseLatency>{interval}</Worst-caseLatency>
                    <PipelineInitiationInterval>{interval}</PipelineInitiationInterval>
                    <PipelineType>no</PipelineType>
                </SummaryOfOverallLatency>
            </PerformanceEstimates>
            <AreaEstimates>
                <Resources>{figures(lut, ff, bram, dsp)}</Resources>
            </AreaEstimates>
        </Module>"""


def csynth_xml(modules: str = "", *, top: str = "qnn_hls_core", version: str = "2023.2") -> str:
    """`csynth.xml` of a design with 5,000 LUT, 6,000 FF, 7 BRAM of 18 Kbit, 2 DSP and an interval of 65 cycles."""
    return f"""<profile>
    <ReportVersion><Version>{version}</Version></ReportVersion>
    <UserAssignments>
        <unit>ns</unit>
        <ProductFamily>zynq</ProductFamily>
        <Part>xc7z020-clg400-1</Part>
        <TopModelName>{top}</TopModelName>
        <TargetClockPeriod>10.00</TargetClockPeriod>
        <ClockUncertainty>2.70</ClockUncertainty>
        <FlowTarget>vivado</FlowTarget>
    </UserAssignments>
    <PerformanceEstimates>
        <PipelineType>dataflow</PipelineType>
        <SummaryOfTimingAnalysis>
            <unit>ns</unit>
            <EstimatedClockPeriod>7.060</EstimatedClockPeriod>
        </SummaryOfTimingAnalysis>
        <SummaryOfOverallLatency>
            <unit>clock cycles</unit>
            <Best-caseLatency>180</Best-caseLatency>
            <Average-caseLatency>182</Average-caseLatency>
            <Worst-caseLatency>183</Worst-caseLatency>
            <Interval-min>64</Interval-min>
            <Interval-max>65</Interval-max>
        </SummaryOfOverallLatency>
    </PerformanceEstimates>
    <AreaEstimates>
        <Resources>
            <BRAM_18K>7</BRAM_18K><DSP>2</DSP><FF>6000</FF><LUT>5000</LUT><URAM>0</URAM>
        </Resources>
        <AvailableResources>
            <BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT><URAM>0</URAM>
        </AvailableResources>
    </AreaEstimates>
    <ModuleInformation>{modules}
    </ModuleInformation>
</profile>
"""


RULE = f"+{'-' * 10}+{'-' * 10}+{'-' * 26}+{'-' * 26}+{'-' * 22}+"
COSIM = f"""Report time       : Mon Jul  1 18:56:03 EDT 2024.
Solution          : solution1.

{RULE}
|          |          |  Latency(Clock Cycles)   |  Interval(Clock Cycles)  | Total Execution Time |
+   RTL    +  Status  +{"-" * 26}+{"-" * 26}+    (Clock Cycles)    +
|          |          |  min   |  avg   |  max   |  min   |  avg   |  max   |                      |
{RULE}
|      VHDL|        NA|      NA|      NA|      NA|      NA|      NA|      NA|                    NA|
|   Verilog|      Pass|     248|     251|     278|      65|      65|      66|                  1313|
{RULE}
"""


def export_xml(stage: str) -> str:
    """`export_syn.xml` or `export_impl.xml`: 773 LUT, 603 FF, 3 BRAM of 18 Kbit, 1 DSP at 2.503 ns."""
    return f"""<profile>
  <RunData><RUN_TYPE>{stage}</RUN_TYPE><VIVADO_VERSION>v.2023.2</VIVADO_VERSION></RunData>
  <TimingReport>
    <TargetClockPeriod>10.000</TargetClockPeriod>
    <AchievedClockPeriod>2.503</AchievedClockPeriod>
    <CP_ROUTE>NA</CP_ROUTE>
    <TIMING_MET>TRUE</TIMING_MET>
  </TimingReport>
  <AreaReport>
    <Resources>
      <BRAM>3</BRAM><CLB>0</CLB><DSP>1</DSP><FF>603</FF><LATCH>0</LATCH><LUT>773</LUT><SRL>0</SRL><URAM>0</URAM>
    </Resources>
    <AvailableResources><BRAM>280</BRAM><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT></AvailableResources>
  </AreaReport>
</profile>
"""


def write_reports(solution: Path, files: Mapping[str, str]) -> Path:
    """Write report files (path in the solution -> text); return the solution."""
    for name, text in files.items():
        (solution / name).parent.mkdir(parents=True, exist_ok=True)
        (solution / name).write_text(text)
    return solution
