# SPDX-License-Identifier: Apache-2.0
"""Graph -> Graph: from the network as trained to the network as hardware computes it."""

from qnn_hw.passes.pipeline import HARDWARE_PASSES, lower

__all__ = ["HARDWARE_PASSES", "lower"]
