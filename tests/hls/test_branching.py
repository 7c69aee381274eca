# SPDX-License-Identifier: Apache-2.0
"""`add.hpp` and `duplicate.hpp`, which have several streams: data/branching.cpp checks them, in both bodies."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hls.operator_bench import WARNINGS, compile_cpp

PROGRAM = Path(__file__).parent / "data" / "branching.cpp"


@pytest.mark.parametrize("body", [(), ("-DQNN_STRUCTURAL",)], ids=["fast", "structural"])
def test_several_streams(body: tuple[str, ...], tmp_path: Path) -> None:
    source = Path(shutil.copy(PROGRAM, tmp_path))
    done = subprocess.run([str(compile_cpp(source, *WARNINGS, *body))], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_sum_that_does_not_fit_is_a_compile_error(tmp_path: Path) -> None:
    source = tmp_path / "narrow.cpp"
    source.write_text(PROGRAM.read_text().replace("add<1, 2, 0, 2, 0, 3>()", "add<1, 2, 0, 2, 0, 2>()"))
    with pytest.raises(AssertionError, match="qnn::add: the sum has to fit OutWidth bits"):
        compile_cpp(source)
