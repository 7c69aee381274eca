# SPDX-License-Identifier: Apache-2.0
"""The one exception of the test bench."""


class SimulationError(Exception):
    """The simulation could not be built or run: where, what was found, what to do. Not a wrong result of a design."""
