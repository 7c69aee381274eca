# SPDX-License-Identifier: Apache-2.0
"""Activates the simulated board in an unchanged program: Python imports this module when it starts.

With this folder in PYTHONPATH and QNN_HW_SIMULATED_BOARD naming a configuration, pynq gets one more device at the
moment a program imports it. Without the variable, or without pynq, nothing happens. A `sitecustomize` further down the
path, which this one hides, is run as well.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))
_WATCHED = "pynq.pl_server.device"
_PACKAGE = "qnn_simulated_board"


class _AfterDevice(importlib.abc.MetaPathFinder):
    """Lets `_WATCHED` be found as always, and the simulated board's device be loaded behind it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _WATCHED:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, own: importlib.abc.Loader) -> None:
        self._own = own

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._own
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        self._own.exec_module(module)
        _load_board()


def _load_board() -> None:
    """Import the folder above as a package under a name of its own, and of it the device."""
    folder = os.path.dirname(_HERE)
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"simulated board: {folder} holds no package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)
    importlib.import_module(_PACKAGE + ".device")


def _run_hidden() -> None:
    """Run the `sitecustomize` that would have been found without this one."""
    path = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if os.environ.get("QNN_HW_SIMULATED_BOARD"):
    sys.meta_path.insert(0, _AfterDevice())
_run_hidden()
