# SPDX-License-Identifier: Apache-2.0
"""The order of the passes, in one place."""

from collections.abc import Callable

from qnn_hw.ir.graph import Graph
from qnn_hw.passes.accumulator_domains import accumulator_domains
from qnn_hw.passes.duplicate_streams import duplicate_streams
from qnn_hw.passes.flip_falling_codes import flip_falling_codes
from qnn_hw.passes.lower_convolutions import lower_convolutions
from qnn_hw.passes.lower_pools import lower_pools
from qnn_hw.passes.rising_thresholds import rising_thresholds
from qnn_hw.passes.thresholds_before_pool import thresholds_before_pool

HARDWARE_PASSES: tuple[Callable[[Graph], Graph], ...] = (
    thresholds_before_pool,
    rising_thresholds,
    flip_falling_codes,
    lower_convolutions,
    lower_pools,
    accumulator_domains,
    duplicate_streams,
)


def lower(graph: Graph) -> Graph:
    """Run every pass; a graph checks itself when it is made, hence after each one.

    Requires: a graph as a frontend writes it, without host operators; it may branch and meet again.
    Ensures: the same outputs for every input, from operators that have hardware: affine, window, matvec, threshold,
    pool, add, duplicate, flatten and classifier; no channel falls; bipolar products are counted, not multiplied; every
    tensor has one reader.
    """
    for step in HARDWARE_PASSES:
        graph = step(graph)
    return graph
