# SPDX-License-Identifier: Apache-2.0
"""Print `testbench.cpp`, the C++ testbench of the core."""

from qnn_hw.backends.hls.core import CORE, HEADER, Core
from qnn_hw.resources import resource_dir

TEMPLATE = "testbench.cpp.jinja"


def print_testbench(core: Core) -> str:
    """Return the text of `testbench.cpp`; it reads `data/*.dat`."""
    from jinja2 import Environment, StrictUndefined

    template = (resource_dir("hls_templates") / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(
        name=repr(core.graph.name),
        core=CORE,
        header=HEADER,
        input_beats=core.input.beats,
        input_width=core.input.width_bits,
        result_beats=core.output.beats,
        result_width=core.output.width_bits,
    )
