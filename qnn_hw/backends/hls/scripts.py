# SPDX-License-Identifier: Apache-2.0
"""The scripts by which Vitis HLS takes the `hls/` folder of a build: a configuration file and a Tcl script.

`hls_config.cfg` serves `v++ -c --mode hls` and `vitis-run --mode hls --csim|--cosim|--package` (2023.2 and newer);
`run.tcl` serves `vitis-run --mode hls --tcl` and, before 2023.2, `vitis_hls -f`. Both name the same files, top, part,
clock and IP, and both leave their project in `vitis/`. Only documented keys and options are used, and no more than are
needed: the fewer words, the more releases read them. The sources of these facts: docs/vitis.md.
"""

import math
import re

from qnn_hw.errors import QnnError

TOP = "qnn_hls_core"
"""Name of the function that becomes the core."""
PROJECT = "vitis"
"""Folder of the Vitis project, beside the scripts."""
CONFIG_FILE = "hls_config.cfg"
TCL_FILE = "run.tcl"
SOURCE, TESTBENCH, DATA, INCLUDE = "qnn_core.cpp", "testbench.cpp", "data", "include"
STEPS = ("csim", "csynth", "cosim", "export", "syn", "impl")
"""What the Tcl script can do, in its order: C simulation, C synthesis, co-simulation of the Verilog, export as IP, and
Vivado synthesis (`syn`) or implementation (`impl`) of that IP."""
STEPS_VARIABLE = "QNN_HLS_STEPS"
"""Environment variable that says which steps: `vitis-run` passes no arguments to a script."""
STEP_MARK, END_MARK = "qnn-hw: step", "qnn-hw: finished"
"""First words of the lines the script prints before each step, and at the end when all of them succeeded."""

_HASH_KEY = "# graph_hash="
_TOKEN = re.compile(r"@([A-Z]+)@")
_WORDS = {
    "CONFIG": CONFIG_FILE,
    "SCRIPT": TCL_FILE,
    "PROJECT": PROJECT,
    "TOP": TOP,
    "SOURCE": SOURCE,
    "TESTBENCH": TESTBENCH,
    "DATA": DATA,
    "FLAGS": f"-std=c++14 -I{INCLUDE}",
    "STEPS": " ".join(STEPS),
    "VARIABLE": STEPS_VARIABLE,
    "STEP": STEP_MARK,
    "END": END_MARK,
    "HASHKEY": _HASH_KEY,
}
"""What stands for @WORD@ in the texts below, whatever the build."""

# No flow_target: the Vivado IP flow is the default, and the 2026.1 manual no longer lists the key.
_CONFIG = """\
# SPDX-License-Identifier: Apache-2.0
# Vitis HLS 2023.2 and newer, run in this folder, in this order:
#   vitis-run --mode hls --csim    --config @CONFIG@ --work_dir @PROJECT@
#   v++ -c    --mode hls           --config @CONFIG@ --work_dir @PROJECT@
#   vitis-run --mode hls --cosim   --config @CONFIG@ --work_dir @PROJECT@
#   vitis-run --mode hls --package --config @CONFIG@ --work_dir @PROJECT@
@HASHKEY@@HASH@

part=@PART@

[hls]
clock=@PERIOD@ns
syn.top=@TOP@
syn.file=@SOURCE@
syn.cflags=@FLAGS@
syn.csimflags=@FLAGS@
tb.file=@TESTBENCH@
tb.file=@DATA@
tb.cflags=@FLAGS@
package.output.format=ip_catalog
package.ip.vendor=qnn_hw
package.ip.library=hls
package.ip.name=@IP@
package.ip.version=1.0
"""

_TCL = """\
# SPDX-License-Identifier: Apache-2.0
# Vitis HLS 2022.1 to 2026.1, from any folder:
#   vitis-run --mode hls --tcl @SCRIPT@     (2023.2 and newer)
#   vitis_hls -f @SCRIPT@                   (before)
# A script gets no arguments from vitis-run, so the environment says what to do:
#   @VARIABLE@="@STEPS@"   any of them; csynth alone when it is unset or empty
# cosim, export, syn and impl need csynth and bring it along. The project goes to @PROJECT@/solution1.
@HASHKEY@@HASH@

set steps {}
if {[info exists ::env(@VARIABLE@)]} {
    set steps [lsearch -all -inline -not -exact [split $::env(@VARIABLE@) ", "] {}]
}
if {[llength $steps] == 0} { set steps csynth }
foreach step $steps {
    if {[lsearch -exact {@STEPS@} $step] < 0} {
        puts "ERROR: @VARIABLE@ names '$step'; allowed are @STEPS@"
        exit 1
    }
}
proc wanted {args} {
    foreach step $args {
        if {[lsearch -exact $::steps $step] >= 0} { return 1 }
    }
    return 0
}
proc begin {step} { puts "@STEP@ $step" }

# Every name below is relative to this folder: a path with spaces would fall apart in the flags.
if {[info script] ne ""} { cd [file dirname [file normalize [info script]]] }

set failed [catch {
    open_project -reset @PROJECT@
    set_top @TOP@
    add_files @SOURCE@ -cflags "@FLAGS@" -csimflags "@FLAGS@"
    add_files -tb @TESTBENCH@ -cflags "@FLAGS@"
    add_files -tb @DATA@
    open_solution -reset solution1
    set_part @PART@
    create_clock -period @PERIOD@ -name default

    if {[wanted csim]} {
        begin csim
        csim_design
    }
    if {[wanted csynth cosim export syn impl]} {
        begin csynth
        csynth_design
    }
    if {[wanted cosim]} {
        begin cosim
        cosim_design -rtl verilog
    }
    if {[wanted export syn impl]} {
        set export [list export_design -rtl verilog -format ip_catalog]
        lappend export -vendor qnn_hw -library hls -ipname @IP@ -version 1.0
        if {[wanted impl]} {
            lappend export -flow impl
        } elseif {[wanted syn]} {
            lappend export -flow syn
        }
        begin export
        eval $export
    }
} message]
if {$failed} {
    # The tool has printed its own ERROR lines by now; this one is for errors of the script.
    puts "ERROR: @SCRIPT@: $message"
    exit 1
}
puts "@END@ $steps"
exit 0
"""

_TEXTS = {CONFIG_FILE: _CONFIG, TCL_FILE: _TCL}


def script_files(name: str, graph_hash: str, part: str, clock_mhz: float) -> dict[str, str]:
    """Return file name -> text of the scripts in a build's `hls/` folder.

    Args:
        name: of the build; becomes part of the IP's name.
        graph_hash: 32 hexadecimal digits, as in `qnn.json`.
        part: Vivado part name.
        clock_mhz: clock the design is synthesized for, in MHz.

    Raises:
        QnnError: `part` or `clock_mhz` cannot be written into a script.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", part):
        raise QnnError(f"Vitis scripts: {part!r} is no part name; letters, digits and _ . + - are allowed")
    if not (math.isfinite(clock_mhz) and 0 < clock_mhz <= 1e6):
        raise QnnError(f"Vitis scripts: a clock of {clock_mhz:g} MHz; give one above 0 and up to 1e6")
    words = {
        **_WORDS,
        "PART": part,
        "HASH": graph_hash,
        "PERIOD": period_ns(clock_mhz),
        "IP": ip_name(name, graph_hash),
    }
    return {name: _TOKEN.sub(lambda token: words[token[1]], text) for name, text in _TEXTS.items()}


def ip_name(name: str, graph_hash: str) -> str:
    """Return the name of the exported IP: `qnn_<build name>_<first 8 digits of the graph hash>`, one word."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "net"
    return f"qnn_{word}_{graph_hash[:8]}"


def period_ns(clock_mhz: float) -> str:
    """Return the clock period in ns, rounded down to 1 ps, so that what is met is never slower than asked for."""
    picoseconds = max(1, math.floor(1e6 / clock_mhz + 1e-6))
    return f"{picoseconds // 1000}.{picoseconds % 1000:03d}".rstrip("0").rstrip(".")


def graph_hash_of(config: str) -> str | None:
    """Return the graph hash in the text of a configuration file, None if there is none."""
    lines = [line for line in config.splitlines() if line.startswith(_HASH_KEY)]
    return lines[0].removeprefix(_HASH_KEY).strip() if lines else None
