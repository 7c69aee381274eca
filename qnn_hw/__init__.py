# SPDX-License-Identifier: Apache-2.0
"""qnn-hw: from a binarized Keras network to a verified dataflow accelerator on a PYNQ board.

Everything public is reached from here and imported on first use, so that `import qnn_hw` costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "activations",
    "callbacks",
    "constraints",
    "context",
    "datasets",
    "emulator",
    "errors",
    "ir",
    "layers",
    "math",
    "metrics",
    "models",
    "optimizers",
    "quantizers",
    "utils",
    "zoo",
)
_NAMES = {
    "Accelerator": "compiler",
    "QnnError": "errors",
    "compile": "compiler",
    "export": "bundle",
    "load_larq_weights": "larq_weights",
    "load_samples": "samples",
    "predict": "frontends.keras",
    "prepare": "frontends.prepare",
}

__all__ = sorted((*_MODULES, *_NAMES))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"qnn_hw.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"qnn_hw.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'qnn_hw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
