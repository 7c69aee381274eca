# SPDX-License-Identifier: Apache-2.0
"""Tables of operators hold what the graph says, whatever the numbers."""

import numpy as np
import pytest

from qnn_hw.backends.instance import instance
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.ir import BIPOLAR
from qnn_hw.ir.ops.classifier import Classifier
from tests.random_nets import Net, build


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_no_rank_is_cut_off_though_the_accumulators_that_had_others_are_gone(classes: int) -> None:
    # 21 bipolar inputs make odd sums alone: half of the ranks have no column left, the others keep their numbers.
    net = Net((12,), dense=(21,), classes=classes, input_dtype=BIPOLAR, centred=False, ranks=True)
    for seed in range(5):
        folded = assemble(build(net, seed), load_board("pynq-z2")).folded
        (op,) = (op for op in folded.ops if isinstance(op, Classifier))
        found = instance(op, folded)
        (words,) = found.tables.values()
        table = np.array([int(word, 16) for word in words]).reshape(classes, -1)
        ranks = folded.constants[op.ranks]
        assert np.array_equal(table[:, : ranks.shape[1]], ranks), f"seed {seed}: ranks up to {ranks.max()}"
        assert table.max() < 1 << int(found.parameters["ScoreWidth"]), f"seed {seed}"
