# SPDX-License-Identifier: Apache-2.0
"""`folding.toml`: one table a layer."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from qnn_hw.errors import QnnError, nearest
from qnn_hw.folding.model import FoldableLayer, Folding, LayerFolding

_KEYS = {"pe": int, "simd": int, "weight_memory": str, "fifo_depth": int}


def print_folding(folding: Folding, layers: Sequence[FoldableLayer] = ()) -> str:
    """Return the text of a folding file; `read_folding` reads it back.

    Args:
        folding: layer name -> its folding.
        layers: those of the network, for a comment on each: its matrix and its cycles.
    """
    by_name = {layer.name: layer for layer in layers}
    lines = [
        "# Folding: pe and simd are rows and columns of a layer's matrix handled in parallel (a pool: channels);",
        '# weight_memory is "auto", "lut", "lutram" or "bram"; fifo_depth is in beats, 0 lets the compiler choose.',
    ]
    for name, layer in folding.items():
        lines += [
            "",
            *_comment(by_name.get(name), layer),
            f"[{json.dumps(name, ensure_ascii=False)}]",  # TOML quotes like JSON
            f"pe = {layer.pe}",
            f"simd = {layer.simd}",
            f'weight_memory = "{layer.weight_memory}"',
            f"fifo_depth = {layer.fifo_depth}",
        ]
    return "\n".join(lines) + "\n"


def _comment(layer: FoldableLayer | None, folding: LayerFolding) -> list[str]:
    if layer is None:
        return []
    cycles = f"{layer.cycles(folding.pe, folding.simd):,} cycles a frame"
    if layer.op.keyword == "pool":
        return [f"# {layer.rows} channels at {layer.pixels:,} positions: {cycles}"]
    return [f"# {layer.rows} rows x {layer.columns} columns at {layer.pixels:,} positions: {cycles}"]


def read_folding(path: Path, layers: list[FoldableLayer]) -> dict[str, LayerFolding]:
    """Read a folding file; layers it does not name are left to the rule.

    Raises:
        QnnError: for text that is no TOML, an unknown layer or key, or a folding that does not fit its layer.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QnnError(f"{path}: no such folding file") from None
    except OSError as error:
        raise QnnError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QnnError(f"{path}: not a folding file: {error}") from None
    by_name = {layer.name: layer for layer in layers}
    folding: dict[str, LayerFolding] = {}
    for name, table in tables.items():
        if name not in by_name:
            raise QnnError(f"{path}: no layer is named {name!r}; nearest: {nearest(name, list(by_name))}")
        folding[name] = _layer(path, name, table, by_name[name])
    return folding


def _layer(path: Path, name: str, table: object, layer: FoldableLayer) -> LayerFolding:
    if not isinstance(table, dict):
        raise QnnError(f"{path}: {name} must be a table [{name}] with pe and simd")
    for key, value in table.items():
        if key not in _KEYS:
            raise QnnError(f"{path}: [{name}] has no key {key!r}; nearest: {nearest(key, list(_KEYS))}")
        if type(value) is not _KEYS[key]:
            raise QnnError(f"{path}: [{name}] {key} = {value!r}; expected {_KEYS[key].__name__}")
    missing = (
        {"pe"} - table.keys() if "simd" not in table and layer.op.keyword == "pool" else {"pe", "simd"} - table.keys()
    )
    if missing:
        raise QnnError(f"{path}: [{name}] lacks {' and '.join(sorted(missing))}")
    folding = LayerFolding(**{"simd": table["pe"], **table})
    try:
        layer.check(folding)
    except QnnError as error:
        raise QnnError(f"{path}: {error}") from None
    return folding
