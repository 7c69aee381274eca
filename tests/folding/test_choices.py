# SPDX-License-Identifier: Apache-2.0
"""The solver in `assemble`: targets kept, budgets kept by the finished design, what branches."""

import pytest

from qnn_hw.analysis.resources import estimate_module
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl import shell_parameters
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.folding.choice import LUT_SHARE, Search
from qnn_hw.folding.choices import as_area, graph_area
from qnn_hw.folding.solver import Area
from tests.random_nets import Block, Conv, Net, build

BOARD = load_board("pynq-z2")
CONV = Net((8, 8, 2), (Conv(8, pool=(2, 2), pool_codes=True),), (16,), classes=4)
DENSE = Net((48,), dense=(32, 24), classes=6)


def area(made: Accelerator) -> Area:
    shell = estimate_module("qnn_shell", shell_parameters(made.folded, made.outside))
    return graph_area(made.folded, instance) + as_area(shell)


@pytest.mark.parametrize("net", [CONV, DENSE], ids=["conv", "dense"])
def test_a_target_is_reached_with_less_area_than_at_full_speed(net: Net) -> None:
    graph = build(net, 1)
    fastest = assemble(graph, BOARD, target_fps="max")
    slower = assemble(graph, BOARD, target_fps=fastest.frames_per_s / 8)
    assert fastest.choice.solution is not None and fastest.choice.solution.optimal
    assert slower.frames_per_s >= fastest.frames_per_s / 8
    assert area(slower).lut < area(fastest).lut <= LUT_SHARE * BOARD.lut


def test_the_finished_design_keeps_the_budget_or_is_refused() -> None:
    graph = build(DENSE, 1)
    least = area(assemble(graph, BOARD, target_fps=20_000)).lut
    kept = 0
    for limit in range(least - 12, least + 60, 12):
        try:
            made = assemble(graph, BOARD, target_fps="max", search=Search(max_lut=limit))
        except QnnError as error:
            assert "budget" in str(error)
            continue
        kept += 1
        assert area(made).lut <= limit
    assert kept


def test_layers_that_are_given_stay_as_they_are() -> None:
    given = {"fc0": LayerFolding(4, 8, "lut", 2)}
    made = assemble(build(DENSE, 1), BOARD, target_fps=500_000, folding=given)
    assert made.folding["fc0"] == given["fc0"]
    assert made.choice.method == "solver" and made.frames_per_s >= 500_000


def test_a_network_that_branches_follows_the_rule() -> None:
    graph = build(Net((6, 6, 4), (Conv(8, same=True),), blocks=(Block(8, ((3, 3),)),), classes=4), 1)
    assert assemble(graph, BOARD, target_fps=10_000).choice.method == "rule"
    with pytest.raises(QnnError, match=r"the network branches here, and the folding solver takes single paths only"):
        assemble(graph, BOARD, target_fps="max")
    with pytest.raises(QnnError, match=r"the solver alone keeps a budget, .*network branches\); leave the budget out"):
        assemble(graph, BOARD, target_fps=10_000, search=Search(max_lut=10_000))


def test_a_budget_needs_a_target() -> None:
    with pytest.raises(QnnError, match=r"here each layer follows the rule \(no target\); give target_fps, too"):
        assemble(build(DENSE, 1), BOARD, search=Search(max_lut=10_000))
