# SPDX-License-Identifier: Apache-2.0
"""What can be said of a model file without loading TensorFlow."""

import zipfile
from pathlib import Path

from qnn_hw.errors import QnnError


def check_model_file(path: Path) -> None:
    """Raise QnnError unless `path` is a `.keras` archive, as far as its name and first bytes tell."""
    if path.is_dir():
        raise QnnError(f"{path}: is a folder; give a model saved with model.save('name.keras')")
    if not path.exists():
        raise QnnError(f"{path}: no such file; give a model saved with model.save('name.keras')")
    if path.suffix != ".keras":
        raise QnnError(f"{path}: found a {path.suffix or 'suffixless'} file; give a .keras file, see keras.Model.save")
    if not zipfile.is_zipfile(path):
        raise QnnError(f"{path}: is no .keras archive, or was cut off; save the model again with model.save()")
