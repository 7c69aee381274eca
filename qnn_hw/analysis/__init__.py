# SPDX-License-Identifier: Apache-2.0
"""What a folded graph will cost and how fast it will be."""

from qnn_hw.analysis.cycles import StageCycles, stage_cycles
from qnn_hw.analysis.layers import LayerRow, layer_rows

__all__ = ["LayerRow", "StageCycles", "layer_rows", "stage_cycles"]
