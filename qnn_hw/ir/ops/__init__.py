# SPDX-License-Identifier: Apache-2.0
"""The operators, one a file; importing this package fills the registry with every one of them."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
