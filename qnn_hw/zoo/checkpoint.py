# SPDX-License-Identifier: Apache-2.0
"""State of a training after an epoch, in one `.npz` file: enough to go on as if nothing had happened.

| array | holds |
| --- | --- |
| `weight_0`, `weight_1`, ... | `model.variables` in their order, states of random layers included |
| `optimizer_0`, ... | `optimizer.variables` in their order, step counter included |
| `facts` | JSON text: `epochs_done`, `loss`, `accuracy`, `seconds` so far, `settings` of the training |

The order of the images needs no state: it follows from seed and epoch.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from qnn_hw.errors import QnnError


@dataclass(frozen=True, slots=True)
class Facts:
    """What a checkpoint tells besides the variables.

    Attributes:
        epochs_done: epochs that are behind it.
        loss, accuracy: one value for each of them.
        seconds: wall time spent so far.
        settings: everything the result depends on; a training that goes on must have the same.
    """

    epochs_done: int
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    seconds: float
    settings: Mapping[str, Any]


def save(file: Path, model: keras.Model, facts: Facts) -> None:
    """Write the state of the compiled `model` to `file`; an earlier one is replaced at the end, at once.

    Raises:
        OSError: if it cannot be written; an earlier one is as it was.
    """
    arrays = {key: ops.convert_to_numpy(variable) for key, variable in _variables(model).items()}
    text = json.dumps(asdict(facts))

    def write(beside: Path) -> None:
        with beside.open("wb") as stream:
            np.savez(stream, allow_pickle=False, facts=np.array(text), **arrays)

    replace_file(file, write)


def load(file: Path, model: keras.Model, settings: Mapping[str, Any]) -> Facts:
    """Put the state in `file` into the compiled `model` and return what it tells.

    Raises:
        QnnError: if `file` is no checkpoint, or one of a training with other `settings`.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            facts = _facts(json.loads(str(stored["facts"])))
            arrays = {key: stored[key] for key in stored.files if key != "facts"}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise QnnError(f"{file}: is no checkpoint of a training ({error}); delete it to start afresh.") from error
    for key, value in settings.items():
        if facts.settings.get(key) != value:
            raise QnnError(
                f"{file}: was made with {key}={facts.settings.get(key)}, now it is {key}={value}; repeat the training "
                "as it was started, or delete the file to start afresh."
            )
    variables = _variables(model)
    if {k: v.shape for k, v in arrays.items()} != {k: tuple(v.shape) for k, v in variables.items()}:
        raise QnnError(f"{file}: belongs to a network of other shapes; delete it to start afresh.")
    for key, variable in variables.items():
        variable.assign(arrays[key])
    return facts


def replace_file(file: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `file` that then takes its place; whatever goes wrong, no part of it stays.

    Folders on the way are made. The new file has the same suffix, which is what `keras.Model.save` looks at.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        beside = Path(folder) / file.name
        write(beside)
        os.replace(beside, file)


def _facts(read: Mapping[str, Any]) -> Facts:
    return Facts(
        epochs_done=int(read["epochs_done"]),
        loss=tuple(read["loss"]),
        accuracy=tuple(read["accuracy"]),
        seconds=float(read["seconds"]),
        settings=dict(read["settings"]),
    )


def _variables(model: keras.Model) -> dict[str, Any]:
    """Every variable that a step of the training reads or writes, by its name in the file."""
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    return {
        **{f"weight_{i}": variable for i, variable in enumerate(model.variables)},
        **{f"optimizer_{i}": variable for i, variable in enumerate(optimizer.variables)},
    }
