# SPDX-License-Identifier: Apache-2.0
"""From a build with its bitstream to a board that runs it: over ssh, through PYNQ.remote, as a wheel, or simulated."""

from qnn_hw.deployment.over_ssh import deploy
from qnn_hw.deployment.remote import deploy_remote
from qnn_hw.deployment.simulated import simulate
from qnn_hw.deployment.target import Target
from qnn_hw.deployment.wheel import package

__all__ = ["Target", "deploy", "deploy_remote", "package", "simulate"]
