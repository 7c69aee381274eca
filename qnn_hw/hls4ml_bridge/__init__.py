# SPDX-License-Identifier: Apache-2.0
"""Bridge into hls4ml: `hls4ml.converters.convert_from_keras_model` accepts our layers.

hls4ml finds `register` through the entry point group `hls4ml.backends` and calls it while it is being imported. It adds
our layer handlers, graph nodes, passes, templates and C++ headers to the backends Vivado, Vitis and VivadoAccelerator;
nothing of hls4ml is replaced. Keras and TensorFlow are imported only when a model is converted.

| module | what it holds |
| --- | --- |
| `handlers` | Keras layer -> dictionaries from which hls4ml makes nodes |
| `nodes` | the nodes: quantizer (a placeholder), matvec, convolution, threshold, pool |
| `passes` | placeholders -> thresholds, measured on the Keras layers |
| `chains` | the measuring, with the compiler's own front end |
| `upstream` | which Keras layers stand before a layer |
| `templates` | node -> C++ configuration and call |
"""

from collections.abc import Callable
from typing import Any

__all__ = ["BACKENDS", "register"]

BACKENDS = ("Vivado", "Vitis", "VivadoAccelerator")
"""Backends of hls4ml whose projects can hold our nodes; the last two run the flows of the first."""


def register(*, register_backend: Callable[..., Any], register_writer: Callable[..., Any]) -> None:
    """Add everything to hls4ml; called by hls4ml when it is imported. A second call changes nothing.

    Args:
        register_backend: what hls4ml hands to every plugin; not needed, no backend is added.
        register_writer: likewise.
    """
    from qnn_hw.hls4ml_bridge import handlers, nodes, passes, templates

    del register_backend, register_writer, handlers  # hls4ml enters handlers when their classes are created
    nodes.register_nodes()
    templates.register_templates(BACKENDS)
    passes.register_passes()


# Whoever imports a module of this package first gets hls4ml whole before it, `register` called: a module that imports
# hls4ml by itself would meet its own half when hls4ml calls `register` in turn, and hls4ml would go on without it.
import hls4ml  # noqa: E402, F401
