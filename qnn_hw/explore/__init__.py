# SPDX-License-Identifier: Apache-2.0
"""`qnn-hw explore`: many builds of one or more networks over a cluster, and what each costs; see docs/explore.md."""

from qnn_hw.explore.network import Network, network_of
from qnn_hw.explore.sweep import Request, check_request, check_scheduler, explore, run_sweep
from qnn_hw.explore.table import sweep_parts
from qnn_hw.explore.targets import parse_targets

__all__ = [
    "Network",
    "Request",
    "check_request",
    "check_scheduler",
    "explore",
    "network_of",
    "parse_targets",
    "run_sweep",
    "sweep_parts",
]
