# SPDX-License-Identifier: Apache-2.0
"""`simulate_build` judges a run of few frames as one of many."""

from pathlib import Path

import pytest

from qnn_hw.proof import Simulation, simulate_build
from tests.random_nets import Block, Net
from tests.test_elaborations import Elaboration, accelerator

# Its branches meet at different times: the first frames follow each other otherwise than the later ones.
NET = Elaboration(Net((5, 5, 2), blocks=(Block(2),), classes=3), 200_000)


@pytest.mark.parametrize("images", [1, 2])
def test_few_frames_are_compared_with_the_prediction_for_what_is_sent(images: int, tmp_path: Path) -> None:
    path = accelerator(NET, 1).write(tmp_path / "build")
    verdict = simulate_build(path, Simulation(images=images, scenarios=("steady",)))
    assert verdict["passed"], verdict
    assert verdict["predicted_interval_cycles"] == verdict["measured"]["interval_cycles"]
