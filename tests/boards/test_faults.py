# SPDX-License-Identifier: Apache-2.0
"""Every fault of the simulated board: the driver names it within its time-out, and its next batch is right."""

import re
from pathlib import Path

import pytest

from qnn_hw.simulation.board.faults import KINDS
from qnn_hw.simulation.board_run import simulate_fault
from tests.boards.simulated import need_pynq, small_mlp

DOC = Path(__file__).parents[2] / "docs" / "simulated_board.md"
ERRORS = {
    "short_receive_buffer": "ReceiveOverflow",
    "missing_tlast": "TlastMissing",
    "missing_tlast_silent": "TlastMissing",
    "early_tlast": "ReceiveIncomplete",
    "halted_channel": "ChannelHalted",
    "wrong_bitstream_hash": "GraphHashMismatch",
    "wrong_part": "WrongPart",
    "unaligned_buffer": "BufferUnaligned",
    "slave_error": "DmaSlaveError",
    "never_answers": "TransferTimeout",
    "missing_flush": None,
}
"""What the driver raises; it cannot know of a lost flush."""
SLACK_S = 5.0
"""Beyond the time-out, for a machine under load."""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_pynq("3.1.2")
    return small_mlp(tmp_path_factory.mktemp("faults") / "build")


def documented(fault: str, error: str | None, message: str | None, recovered: bool) -> str:
    """Return the line of the table in docs/simulated_board.md; hashes and counts are left out."""
    text = "none: the words are wrong"
    if message is not None:
        cause = re.sub(r"[0-9a-f]{32}", "…", message.partition("; send status")[0])
        text = re.sub(r"[a-z0-9_]+-[0-9a-f]{8}\.bit", "….bit", cause)
    named = f"`{error}`" if error else "none"
    return f"| `{fault}` | {KINDS[fault]} | {named} | {text} | {'yes' if recovered else 'no'} |"


def test_every_kind_has_its_error() -> None:
    assert set(ERRORS) == set(KINDS)


@pytest.mark.parametrize("fault", KINDS)
def test_a_fault_ends_in_its_error_and_the_next_batch_is_right(build: Path, fault: str) -> None:
    facts = simulate_fault(build, fault)
    assert facts["first_equal"] is True
    assert facts["error"] == ERRORS[fault], facts["message"]
    assert facts["second_equal"] is (None if ERRORS[fault] else False)
    assert facts["seconds"] < facts["timeout_s"] + SLACK_S
    assert facts["recovered"] is True
    if fault not in ("wrong_part", "wrong_bitstream_hash", "missing_flush"):
        assert re.search(r"send status 0x[0-9a-f]{8} .*, receive status 0x[0-9a-f]{8} ", facts["message"])
    line = documented(fault, facts["error"], facts["message"], facts["recovered"])
    assert line in DOC.read_text(encoding="utf-8"), f"the table in {DOC.name} must have the line\n{line}"


@pytest.mark.slow
@pytest.mark.parametrize("fault", KINDS)
@pytest.mark.parametrize(("board", "version"), [("kv260", "3.0.1"), ("zcu104", "4.0.0")])
def test_faults_on_the_other_releases(
    tmp_path_factory: pytest.TempPathFactory, fault: str, board: str, version: str
) -> None:
    need_pynq(version)
    path = tmp_path_factory.getbasetemp() / f"build-{board}"
    facts = simulate_fault(path if path.is_dir() else small_mlp(path, board), fault, version=version)
    assert (facts["error"], facts["recovered"]) == (ERRORS[fault], True), facts["message"]
