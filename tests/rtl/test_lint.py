# SPDX-License-Identifier: Apache-2.0
"""The library passes `verilator --lint-only -Wall` for ordinary and extreme parameters, and refuses illegal ones."""

import os
import subprocess

import pytest

from qnn_hw.simulation import verilator
from tests.rtl.bench import Case, literal, sources
from tests.rtl.cases import STANDARD

EXTRA: tuple[tuple[str, dict[str, int | str]], ...] = (
    ("qnn_fifo", {"Width": 1, "Depth": 70000, "Counters": 1}),
    ("qnn_fifo", {"Width": 1, "Depth": 2, "Counters": 0}),
    ("qnn_register_slice", {"Width": 1}),
    ("qnn_accumulator", {"PE": 1, "InWidth": 1, "AccWidth": 1}),
    ("qnn_dot_ternary", {"SIMD": 1}),
    *(
        (module, {"SIMD": simd, "InWidth": 1, "InSigned": signed})
        for module in ("qnn_lane_pairs", "qnn_dot_integer")
        for simd in (1, 2)
        for signed in (0, 1)
    ),
    ("qnn_dot_integer", {"SIMD": 1, "InWidth": 1, "OutWidth": 1}),
    ("qnn_dot_integer", {"SIMD": 5, "InWidth": 8, "OutWidth": 3}),
    *(
        ("qnn_weight_store", {"Width": width, "Depth": depth, "InitFile": name, "Style": style})
        for width, depth in ((1, 1), (33, 5))
        for name in ("", "w.mem")
        for style in ("auto", "lut", "lutram", "bram")
    ),
)
ILLEGAL: tuple[tuple[str, dict[str, int | str], str], ...] = (
    ("qnn_fifo", {"Depth": 1}, "Depth=1 is below 2"),
    ("qnn_width_converter", {"InWidth": 6, "OutWidth": 4}, "InWidth=6 and OutWidth=4 have no integer ratio"),
    ("qnn_affine", {"InWidth": 8, "OutWidth": 8, "Scale": 2}, "the range 0..510 does not fit OutWidth=8 bits"),
    ("qnn_window", {"Depth": 10}, "Depth=10 is below the 11 words of one window's span"),
    ("qnn_window", {"Channels": 3, "Lanes": 2, "Depth": 64}, "Lanes=2 does not divide Channels=3"),
    ("qnn_mvu", {"PE": 2, "MatrixHeight": 3}, "PE=2 does not divide MatrixHeight=3"),
    ("qnn_mvu", {"MatrixWidth": 16, "AccWidth": 4}, "AccWidth=4 does not hold MatrixWidth=16"),
    ("qnn_threshold", {"Steps": 4, "OutWidth": 2}, "codes 0..4 do not fit OutWidth=2 bits"),
    ("qnn_pool", {"PE": 2, "Channels": 3}, "PE=2 does not divide Channels=3"),
    ("qnn_classifier", {"PE": 2, "ScoreKind": 1}, "ScoreKind=1 (rank table) needs PE=1, not 2"),
    ("qnn_weight_store", {"Style": "magic"}, "Style=magic is none of"),
)


def lint(module: str, parameters: dict[str, int | str], *defines: str) -> str:
    """What Verilator complains about, empty when nothing."""
    root = verilator.find_verilator()
    command = [str(root / "bin" / "verilator_bin"), "--lint-only", "-Wall", "--quiet-stats", "--top-module", module]
    command += [f"-D{name}" for name in defines]
    command += [f"-G{name}={literal(value)}" for name, value in parameters.items()]
    # Library files are read when something instantiates them: unused modules stay out.
    folder = sources()[0].parent
    done = subprocess.run(
        [*command, "-y", str(folder), str(folder / f"{module}.sv")],
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def parameter_id(value: object) -> str:
    """A readable test id of one parameter of a test."""
    if isinstance(value, dict):
        return "-".join(f"{key}{text}" for key, text in value.items())
    return "" if not isinstance(value, str) else value.removeprefix("qnn_")


@pytest.mark.parametrize("case", STANDARD, ids=lambda case: case.name)
def test_clean(case: Case) -> None:
    assert not (found := lint(case.module, case.parameters)), found
    if case.module in ("qnn_popcount", "qnn_dot_xnor"):
        assert not (found := lint(case.module, case.parameters, "QNN_STRUCTURAL")), found


@pytest.mark.parametrize(("module", "parameters"), EXTRA, ids=parameter_id)
def test_clean_at_the_edges(module: str, parameters: dict[str, int | str]) -> None:
    assert not (found := lint(module, parameters)), found


@pytest.mark.parametrize(("module", "parameters", "message"), ILLEGAL, ids=parameter_id)
def test_illegal_parameters_are_refused(module: str, parameters: dict[str, int | str], message: str) -> None:
    assert message in lint(module, parameters)
