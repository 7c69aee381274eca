# SPDX-License-Identifier: Apache-2.0
"""Synthesis figures without vendor tools: yosys maps RTL to 7-series cells, one function counts them."""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.synthesis.build import synthesize_build
from qnn_hw.synthesis.resources import count_resources
from qnn_hw.synthesis.timing import Timing
from qnn_hw.synthesis.yosys import (
    SynthesisJob,
    Yosys,
    find_yosys,
    sources_of,
    synthesize,
    synthesize_many,
    timing_of,
    timings_of,
)

__all__ = [
    "Resources",
    "SynthesisJob",
    "Timing",
    "Yosys",
    "count_resources",
    "find_yosys",
    "sources_of",
    "synthesize",
    "synthesize_build",
    "synthesize_many",
    "timing_of",
    "timings_of",
]
