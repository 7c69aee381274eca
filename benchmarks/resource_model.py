# SPDX-License-Identifier: Apache-2.0
"""The resource model against yosys: sweep of configurations, fit of the coefficients, table of errors.

    python benchmarks/resource_model.py sweep    # synthesize what benchmarks/data/resource_model.csv does not hold yet
    python benchmarks/resource_model.py fit      # fitted coefficients -> qnn_hw/analysis/calibration.json
    python benchmarks/resource_model.py table    # error tables -> docs/resources.md
    python benchmarks/resource_model.py build cnv FOLDER   # the modules of a build folder as a set of their own

Configurations come from `resource_cases.py`, with seeds fixed there: one for fitting, others for held-out modules and
whole networks. An interrupted sweep goes on where it stopped.
"""

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from resource_cases import Case, cases

import qnn_hw
from qnn_hw.analysis.resources import Resources as ModelResources
from qnn_hw.analysis.resources import TableSummary, estimate_module, popcount, structure, structure_of
from qnn_hw.analysis.resources.popcount import ternary_structure, xnor_structure
from qnn_hw.backends.folder import read_build
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl.core import HASH_FILE, interface, shell_parameters
from qnn_hw.resources import resource_dir
from qnn_hw.synthesis import Resources, find_yosys, sources_of, synthesize

DATA = Path(__file__).parent / "data" / "resource_model.csv"
CALIBRATION = Path(qnn_hw.__file__).parent / "analysis" / "calibration.json"
FIGURES = ("lut", "lutram", "ff", "carry4", "muxf", "bram18", "bram36", "dsp")
DOCUMENT = Path(__file__).parents[1] / "docs" / "resources.md"
BEGIN, END = "<!-- errors: begin -->", "<!-- errors: end -->"
SWEPT = ("fit", "held")
TOLERANCE, TOLERANCE_LUT = 0.15, 25
ROUNDS = 3
Groups = dict[str, dict[str, float]]
FloatArray = npt.NDArray[np.float64]
COLUMNS = ("set", "case", "module", "parameters", "tables", "yosys", *FIGURES)


@dataclass(frozen=True)
class Row:
    """One line of the data file."""

    set: str
    case: str
    module: str
    parameters: dict[str, int | str]
    table: TableSummary | None
    found: Resources

    @classmethod
    def read(cls, row: dict[str, str]) -> "Row":
        """Parse a line."""
        summary = json.loads(row["tables"]) if row["tables"] else None
        return cls(
            row["set"],
            row["case"],
            row["module"],
            json.loads(row["parameters"]),
            TableSummary(**summary) if summary else None,
            Resources(**{name: int(row[name]) for name in FIGURES}),
        )


def measure(case: Case) -> Resources:
    """Synthesize one configuration."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, words in case.tables.items():
            (folder / file).write_text("\n".join(words) + "\n", encoding="utf-8")
        sources = sources_of(case.module, resource_dir("rtl"))
        return synthesize(
            sources, case.module, parameters=case.parameters, data_dir=folder, data_files=sorted(case.tables)
        )


def read_rows() -> list[dict[str, str]]:
    if not DATA.exists():
        return []
    with DATA.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(rows: list[dict[str, str]]) -> None:
    with DATA.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def line_of(case: Case, found: Resources, version: str) -> list[str]:
    figures = [str(getattr(found, name)) for name in FIGURES]
    shape = json.dumps(case.shape, separators=(",", ":"))
    return [case.set, case.name, case.module, shape, case.table_text(), version, *figures]


def sweep() -> None:
    """Synthesize what the data file lacks; drop rows that are no configuration any more."""
    known = {(case.set, case.name): case for case in cases()}
    rows = []
    for row in read_rows():
        case = known.get((row["set"], row["case"]))
        if case and json.loads(row["parameters"]) == case.shape:
            rows.append({**row, "tables": case.table_text()})  # what is known of a table follows from the table
            del known[case.set, case.name]
        elif row["set"] not in SWEPT and not row["set"].startswith("net-"):
            rows.append(row)
    DATA.parent.mkdir(exist_ok=True)
    write_rows(rows)
    version = find_yosys().version
    # Dealt out in turns, so that an interrupted sweep holds something of every kind.
    waiting = sorted(known.values(), key=turn)
    with DATA.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, case in enumerate(waiting, 1):
            started = time.monotonic()
            found = measure(case)
            writer.writerow(line_of(case, found, version))
            file.flush()
            seconds = time.monotonic() - started
            print(f"{number}/{len(waiting)} {case.set} {case.name}: {found.lut} LUT, {seconds:.0f} s", flush=True)


def turn(case: Case) -> tuple[int, int]:
    number = case.name.rpartition("-")[2]
    if not number.isdigit():
        return 2, 0
    return int(case.set == "held"), int(number)


def rows_of(name: str) -> list[Row]:
    """Measured rows of a set; `net` means all networks."""
    return [row for row in map(Row.read, read_rows()) if row.set == name or row.set.startswith(f"{name}-")]


def fit() -> None:
    """Fit the weights of all terms to the rows of the set `fit`; the curves of the popcounts from their own rows."""
    rows = rows_of("fit")
    groups: Groups = {"dot_xnor": {"1": 1.0}, "dot_ternary": {"1": 1.0}, "lut": {}}
    for _ in range(ROUNDS):
        write_calibration(groups)
        groups["lut"] = fit_weights([row for row in rows if "popcount" not in row.case])
        write_calibration(groups)
        groups |= {
            "dot_xnor": curve([row for row in rows if row.case.startswith("popcount")], groups),
            "dot_ternary": curve([row for row in rows if row.case.startswith("padded_popcount")], groups),
        }
    write_calibration(groups)
    print(f"{len(groups['lut'])} weights fitted to {len(rows)} modules")


def fit_weights(rows: list[Row]) -> dict[str, float]:
    """LUTs per unit of each term."""
    structures = [structure_of(row.module, row.parameters, row.table) for row in rows]
    names = sorted({name for structure in structures for name, _ in structure.lut})
    sizes = np.zeros((len(rows), len(names)))
    for line, found in zip(sizes, structures, strict=True):
        for name, size in found.lut:
            line[names.index(name)] += size
    left = np.array([row.found.lut - s.known.lut for row, s in zip(rows, structures, strict=True)], float)
    luts = np.array([row.found.lut for row in rows], float)
    weights = nonnegative_fit(sizes, left, 1 / (luts + 20))
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}


def curve(rows: list[Row], groups: Groups) -> dict[str, float]:
    """LUTs per LUT of the structure, SIMD by SIMD: what the other terms leave of a unit."""
    points = {"1": 1.0, "2": 1.0, "3": 1.0}
    for row in rows:
        found = structure_of(row.module, row.parameters, row.table)
        kind = int(row.parameters["InKind"])
        pe, simd = int(row.parameters["PE"]), int(row.parameters["SIMD"])
        plain = (xnor_structure if kind == 0 else ternary_structure)(simd)[0]
        other = sum(groups["lut"][name] * size for name, size in found.lut if name != f"mvu.dot{kind}")
        points[str(simd)] = round((row.found.lut - found.known.lut - other) / (pe * plain), 4)
    return points


def nonnegative_fit(sizes: FloatArray, left: FloatArray, scale: FloatArray) -> FloatArray:
    """Weights >= 0 of least absolute error in units of 1 / `scale`: least squares, reweighted, active terms only."""
    active = np.ones(sizes.shape[1], bool)
    robust = np.ones(len(left))
    for _ in range(60):
        w = scale * np.sqrt(robust)
        found = np.zeros(sizes.shape[1])
        matrix = sizes[:, active] * w[:, None]
        # Only against terms that the configurations cannot tell apart; each in its own unit, so that none is shrunk.
        ridge = np.diag(1e-6 * np.maximum((matrix**2).sum(axis=0), 1e-9))
        found[active] = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ (left * w))
        if (found < 0).any():
            active &= found >= 0
            continue
        residual = np.abs(sizes @ found - left) * scale
        robust = 1 / np.maximum(residual, 0.1)  # below a tenth the errors count squared: chosen by cross-validation
    return found


def add_build(name: str, folder: Path) -> None:
    """Synthesize every module of a build folder and enter it as the set `name`; cached results cost nothing."""
    build = read_build(folder)
    graph, rtl = build.graph, folder / "rtl"
    printed = [(f"{op.layer}/{op.name}", instance(op, graph)) for op in graph.ops]
    outside = interface(graph, int(build.manifest["dma_width_bits"]))
    shell = {**shell_parameters(graph, outside), "Counters": 0, "HashFile": HASH_FILE}
    units = [(case, u.module, u.parameters, tuple(sorted(u.tables))) for case, u in printed if u.module]
    units.append(("shell/shell", "qnn_shell", shell, (HASH_FILE,)))
    lines = []
    for case, module, parameters, files in units:
        sources = sources_of(module, rtl)
        found = synthesize(sources, module, parameters=parameters, data_dir=rtl / "data", data_files=files)
        tables = {file: (rtl / "data" / file).read_text(encoding="utf-8").split() for file in files}
        entry = Case(name, case, module, parameters, tables)
        lines.append(dict(zip(COLUMNS, line_of(entry, found, find_yosys().version), strict=True)))
    write_rows([*(row for row in read_rows() if row["set"] != name), *lines])


def write_calibration(groups: Groups) -> None:
    text = {"written by": "benchmarks/resource_model.py fit", "yosys": find_yosys().version, "groups": groups}
    CALIBRATION.write_text(json.dumps(text, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    clear_caches()


def clear_caches() -> None:
    """Forget what was computed with the last calibration."""
    for cached in (structure.calibration, structure._curve, popcount.dot_luts):
        cached.cache_clear()


def table() -> None:
    """Write the error tables into the document, between its markers."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after and not rest:
        raise SystemExit(f"{DOCUMENT}: no line {BEGIN}")
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{error_tables()}\n{END}{after}", encoding="utf-8")


def error_tables() -> str:
    """Markdown: held-out modules by type, whole networks, CNV layer by layer."""
    held, nets, cnv = rows_of("held"), rows_of("net"), rows_of("cnv")
    parts = [
        f"{len(held)} held-out modules. Error of LUT and FF in per cent of yosys' figure; within = "
        f"max({TOLERANCE:.0%}, {TOLERANCE_LUT} LUT).",
        module_table(held),
        f"{len({row.set for row in nets})} whole networks, sums over their modules and the shell.",
        total_table(nets, lambda row: row.set.removeprefix("net-")),
    ]
    if cnv:
        parts.append("CNV at the folding of `examples/cnv_folding.toml`.")
        parts.append(total_table(cnv, lambda row: row.case.split("/")[0]))
    return "\n\n".join(parts) + "\n"


def module_table(rows: list[Row]) -> str:
    lines = [
        "| module | number | LUT, median | LUT, greatest | within | FF, median | FF, greatest | BRAM, DSP exact |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    names = sorted({row.module for row in rows})
    for name, group in [*((n, [r for r in rows if r.module == n]) for n in names), ("all", rows)]:
        lut = [relative(estimate_row(row).lut, row.found.lut) for row in group]
        ff = [relative(estimate_row(row).ff, row.found.ff) for row in group]
        inside = sum(within(estimate_row(row).lut, row.found.lut) for row in group)
        exact = sum(blocks(estimate_row(row)) == blocks(row.found) for row in group)
        lines.append(
            f"| {name} | {len(group)} | {np.median(lut):.1%} | {max(lut):.1%} | {inside} of {len(group)} "
            f"| {np.median(ff):.1%} | {max(ff):.1%} | {exact} of {len(group)} |"
        )
    return "\n".join(lines)


def total_table(rows: list[Row], key: Callable[[Row], str]) -> str:
    lines = [
        "| | LUT, estimate | LUT, yosys | error | FF, estimate | FF, yosys | BRAM36, estimate | BRAM36, yosys | DSP |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    if len({row.set for row in rows}) == 1:
        groups["sum"] = rows
    for name, group in groups.items():
        estimated = sum((estimate_row(row) for row in group), start=ModelResources())
        found = sum((row.found for row in group), start=Resources())
        lines.append(
            f"| {name} | {estimated.lut:,} | {found.lut:,} | {estimated.lut / found.lut - 1:+.1%} | {estimated.ff:,} "
            f"| {found.ff:,} | {estimated.bram36_equivalent:g} | {found.bram36_equivalent:g} | {found.dsp} |"
        )
    return "\n".join(lines)


def estimate_row(row: Row) -> ModelResources:
    return estimate_module(row.module, row.parameters, row.table)


def relative(estimated: int, found: int) -> float:
    return abs(estimated - found) / found if found else float(estimated > 0)


def within(estimated: int, found: int) -> bool:
    return abs(estimated - found) <= max(TOLERANCE * found, TOLERANCE_LUT)


def blocks(resources: ModelResources | Resources) -> tuple[int, int, int]:
    return resources.bram18, resources.bram36, resources.dsp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("sweep", "fit", "table", "build"))
    parser.add_argument("name", nargs="?", help="build: name of the set")
    parser.add_argument("folder", nargs="?", type=Path, help="build: the build folder")
    options = parser.parse_args()
    match options.command:
        case "sweep":
            sweep()
        case "fit":
            fit()
        case "table":
            table()
        case "build":
            add_build(options.name, options.folder)


if __name__ == "__main__":
    main()
