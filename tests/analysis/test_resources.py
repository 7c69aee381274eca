# SPDX-License-Identifier: Apache-2.0
"""The resource model against yosys: its stored figures, and the parts that can be worked out by hand.

`benchmarks/data/resource_model.csv` holds what yosys counted. A changed formula that misses the bar fails here without
a run of yosys; the slow test asks yosys again for a sample of the rows.
"""

import csv
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType

import numpy as np
import pytest

from qnn_hw.analysis.resources import (
    Resources,
    TableSummary,
    estimate,
    estimate_graph,
    estimate_module,
    random_table,
    structure_of,
    summarize,
)
from qnn_hw.analysis.resources.estimate import FORMULAS
from qnn_hw.analysis.resources.memory import ram, rom
from qnn_hw.analysis.resources.popcount import popcount_tree
from qnn_hw.analysis.resources.structure import calibration
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl.core import shell_parameters
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from tests.random_nets import Conv, Net, build

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MEDIAN, TOLERANCE, TOLERANCE_LUT, NET = 0.055, 0.15, 25, 0.06
MISSED = 3  # modules outside the tolerance


@dataclass(frozen=True)
class Row:
    set: str
    case: str
    module: str
    parameters: dict[str, int | str]
    table: TableSummary | None
    found: Resources

    @property
    def estimated(self) -> Resources:
        return estimate_module(self.module, self.parameters, self.table)

    def __str__(self) -> str:
        return f"{self.set} {self.case} ({self.module} {self.parameters}): {self.estimated}, yosys {self.found}"


def read() -> list[Row]:
    with (BENCHMARKS / "data" / "resource_model.csv").open(encoding="utf-8", newline="") as file:
        return [
            Row(
                line["set"],
                line["case"],
                line["module"],
                json.loads(line["parameters"]),
                TableSummary(**json.loads(line["tables"])) if line["tables"] else None,
                Resources(**{name: int(line[name]) for name in Resources.__slots__}),
            )
            for line in csv.DictReader(file)
        ]


ROWS = read()
HELD = [row for row in ROWS if row.set == "held"]
NETS = sorted({row.set for row in ROWS if row.set.startswith("net-")})


def test_there_are_enough_held_out_points_of_every_module() -> None:
    assert len(HELD) >= 60
    assert len(NETS) >= 10
    graphs = {row.module for row in ROWS if row.set.startswith("net-")}
    assert graphs <= {row.module for row in HELD}


def test_median_error_on_held_out_modules() -> None:
    errors = {str(row): abs(row.estimated.lut - row.found.lut) / max(1, row.found.lut) for row in HELD}
    assert median(errors.values()) <= MEDIAN, sorted(errors, key=lambda row: -errors[row])[:5]


def test_each_held_out_module() -> None:
    missed = [
        str(row)
        for row in HELD
        if abs(row.estimated.lut - row.found.lut) > max(TOLERANCE * row.found.lut, TOLERANCE_LUT)
    ]
    assert len(missed) <= MISSED, "\n".join(missed)


@pytest.mark.parametrize("net", NETS)
def test_whole_networks(net: str) -> None:
    rows = [row for row in ROWS if row.set == net]
    estimated, found = sum(row.estimated.lut for row in rows), sum(row.found.lut for row in rows)
    assert abs(estimated - found) <= NET * found, f"{net}: {estimated} LUT, yosys {found}"


def test_block_ram_and_dsp_are_exact() -> None:
    wrong = [
        str(row)
        for row in ROWS
        if row.set != "fit"
        and (row.estimated.bram18, row.estimated.bram36, row.estimated.dsp)
        != (row.found.bram18, row.found.bram36, row.found.dsp)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_document_shows_the_current_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    model = benchmark(monkeypatch)
    text = model.DOCUMENT.read_text(encoding="utf-8")
    shown = text.partition(model.BEGIN)[2].partition(model.END)[0].strip()
    assert shown == model.error_tables().strip(), "run: python benchmarks/resource_model.py table"


def test_every_term_has_a_weight() -> None:
    missing = {
        name
        for row in ROWS
        for name, _ in structure_of(row.module, row.parameters, row.table).lut
        if name not in calibration()["lut"]
    }
    assert not missing, f"{missing}: run python benchmarks/resource_model.py fit"


def test_every_printed_module_has_a_formula() -> None:
    for network in (
        Net((7, 7, 2), (Conv(4, pool=(2, 2)), Conv(4, same=True)), (6,), classes=3),
        Net((12,), dense=(10,), classes=5, ranks=True),
    ):
        made = assemble(build(network, 1), load_board("pynq-z2"), target_fps=50_000)
        printed = {instance(op, made.folded).module for op in made.folded.ops} - {""}
        assert printed <= set(FORMULAS)


def test_a_graph_is_the_sum_of_its_operators_and_the_shell() -> None:
    made = assemble(build(Net((24,), dense=(16,), classes=4), 1), load_board("pynq-z2"), target_fps=50_000)
    shell = shell_parameters(made.folded, made.outside)
    found = estimate_graph(made.folded, instance, shell)
    alone = [estimate(op, made.folded, instance) for op in made.folded.ops]
    assert found.total == sum(alone, estimate_module("qnn_shell", shell))
    assert {operator.module for operator in found.operators} >= {"qnn_mvu", "qnn_threshold", "qnn_classifier"}
    assert all(operator.resources.lut > 0 for operator in found.operators), found


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(QnnError, match=r"no formula for module 'qnn_mvv'; nearest: .*qnn_mvu"):
        estimate_module("qnn_mvv", {})


@pytest.mark.parametrize(
    ("width", "depth", "cells"),
    [
        (36, 512, (1, 0)),  # one half block holds it
        (37, 512, (0, 1)),  # two halves cost more than a whole
        (72, 512, (0, 1)),
        (108, 512, (3, 0)),  # three halves cost less than two wholes
        (18, 1024, (1, 0)),
        (1, 32768, (0, 1)),
    ],
)
def test_tables_in_block_ram(width: int, depth: int, cells: tuple[int, int]) -> None:
    memory = rom(width, depth, "block")
    assert (memory.bram18, memory.bram36) == cells, memory


def test_small_tables_stay_logic_and_large_ones_do_not() -> None:
    assert rom(8, 64, "auto").kind == "logic"
    assert rom(40, 256, "auto").kind == "logic", "160 in yosys' units, a whole block 257"
    assert rom(36, 512, "auto").kind == "block", "288 against 129 for half a block"
    assert rom(36, 512, "logic").kind == "logic"


@pytest.mark.parametrize(
    ("width", "depth", "one_address", "sites"),
    [
        (6, 32, False, 4),  # RAM32M: six bits in four LUTs
        (7, 32, False, 8),
        (8, 32, True, 4),  # one address: all four LUTs hold data
        (3, 64, False, 4),
        (4, 64, True, 4),
        (6, 65, False, 12),  # three banks of 32 words
    ],
)
def test_lut_memories(width: int, depth: int, one_address: bool, sites: int) -> None:
    assert ram(width, depth, "distributed", one_address=one_address).lutram == sites


def test_popcount_trees_are_those_of_the_module() -> None:
    assert popcount_tree(2) == (0, 2, 0)
    assert popcount_tree(3) == (2, 0, 1)  # a full adder: two table bits and nothing left to add
    assert popcount_tree(6) == (3, 0, 1)


def test_a_table_is_summarized_by_its_columns() -> None:
    # Columns, bit 0 first: 0011, 1100 (its complement), 1111 (constant), 0011 (again).
    assert summarize(["6", "6", "d", "d"], 4) == TableSummary(4, 4, constant=1, distinct=2, functions=2)
    # Deep ones: columns that change once are about half as much logic as random ones.
    rng = np.random.default_rng(5)
    once = [f"{sum((row >= 16 + 32 * bit) << bit for bit in range(4)):x}" for row in range(128)]
    random = [f"{word:x}" for word in rng.integers(0, 16, 128)]
    assert (summarize(once, 4).functions, summarize(random, 4).functions) == (2, 4)


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 40, 100])
def test_random_tables_are_expected_as_they_come(depth: int) -> None:
    rng = np.random.default_rng(depth)
    found = [
        summarize([f"{int(''.join(map(str, word)), 2):x}" for word in rng.integers(0, 2, (depth, 48))], 48)
        for _ in range(40)
    ]
    expected = random_table(48, depth)
    for name in ("constant", "distinct", "functions"):
        mean = sum(getattr(summary, name) for summary in found) / len(found)
        assert abs(mean - getattr(expected, name)) < 1, f"{name}: {mean} on average, {getattr(expected, name)} expected"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mvu", "threshold", "window", "fifo", "shell"])
def test_yosys_still_counts_what_is_stored(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QNN_HW_CACHE", str(tmp_path))
    model = benchmark(monkeypatch)
    case = next(case for case in model.cases() if case.set == "held" and case.name == f"{kind}-2")
    (row,) = [row for row in ROWS if (row.set, row.case) == ("held", case.name)]
    assert case.shape == row.parameters
    assert vars_of(model.measure(case)) == vars_of(row.found), row


def vars_of(resources: object) -> dict[str, int]:
    return {name: getattr(resources, name) for name in Resources.__slots__}


def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("resource_model")
