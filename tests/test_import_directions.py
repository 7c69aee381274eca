# SPDX-License-Identifier: Apache-2.0
"""Which part of the package imports which: one direction, and TensorFlow in two places only.

Found by reading the sources, imports inside functions included: late imports keep the start fast, not the directions.
"""

import ast
from pathlib import Path

import pytest

import qnn_hw

PACKAGE = Path(qnn_hw.__file__).resolve().parent

GROUND = {"errors", "resources"}
TRAINING = {"quantizers", "layers", "constraints", "activations", "context", "math"}
WORDS = {"optimizers", "metrics", "callbacks", "models", "larq_weights", "normalization", "utils"}
"""Further modules of the training API; a tree may hold them or not."""

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "resources": set(),
    "boards": set(),
    "ir": set(),
    "passes": {"ir"},
    "analysis": {"ir", "passes", "boards"},
    "folding": {"ir", "passes", "analysis", "boards"},
    "backends": {"ir", "passes", "analysis", "folding", "boards"},
    "emulator": {"ir"},
    "samples": {"ir"},
    **dict.fromkeys(TRAINING | WORDS, TRAINING | WORDS | {"ir"}),
    "zoo": TRAINING | WORDS | {"datasets"},
    "datasets": set(),
    "frontends": {"ir", *TRAINING},
    "compiler": {
        *("ir", "passes", "analysis", "folding", "backends", "emulator", "frontends", "boards", "samples"),
        *("analyze", "build", "proof", "tables"),  # only in the methods of Accelerator that hand over to them
    },
    "simulation": {"backends", "emulator", "ir", "boards"},
    "synthesis": {"backends", "boards", "ir", "analysis"},
    "deployment": {"backends", "emulator", "ir", "boards", "simulation", "tables"},
    "results": {"backends"},
    "analyze": {"analysis", "backends", "boards", "ir", "tables"},
    "report": {"analyze", "results", "backends", "analysis", "ir", "boards"},
    "build": {"compiler", "simulation", "backends", "analysis", "folding", "emulator", "samples", "ir", "boards"},
    "proof": {
        *("compiler", "build", "simulation", "backends", "analysis", "folding", "emulator", "samples", "ir", "boards"),
        "results",
    },
    "explore": {
        *("ir", "analysis", "folding", "boards", "samples", "frontends", "analyze", "compiler", "build", "synthesis"),
        *("backends", "tables"),
    },
    "doctor": {"synthesis", "simulation"},
    "bundle": {"frontends", "ir"},
    "hls4ml_bridge": {"frontends", "ir", *TRAINING},
    "train": {"datasets", "zoo", "frontends"},
    "demo": {
        *("compiler", "proof", "samples", "synthesis", "results", "report", "datasets", "zoo", "frontends"),
        *("deployment", "simulation"),
        *TRAINING,
    },
    "tables": set(),
    "cli": {
        *("boards", "build", "compiler", "samples", "tables", "proof", "synthesis", "doctor", "demo", "backends"),
        "folding",
        *("train", "frontends", "simulation", "deployment", "analyze", "report", "results", "explore"),
    },
}
"""What each part may import besides itself and `GROUND`; top-level modules and folders are parts alike."""

WITH_TENSORFLOW = TRAINING | WORDS | {"zoo", "hls4ml_bridge"}
"""The bridge imports Keras when hls4ml meets one of our layers, which is when Keras is there."""


def modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if "_resources" not in p.parts and p.name != "__main__.py"]


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names of everything a file imports at run time; what only type checkers see is left out."""
    found: set[str] = set()
    for node in _run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = ("qnn_hw", *path.relative_to(PACKAGE).parts[:-1])
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant):
                found.add(str(name.value))
    return found


def _run_time_nodes(tree: ast.AST) -> list[ast.AST]:
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            children = list(node.orelse)
        waiting += children
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = part(path)
    if own == "__init__":
        return
    assert own in ALLOWED, f"the part {own} has no line in ALLOWED: decide what it may import"
    for name in imports(path):
        package, _, inside = name.partition(".")
        if package != "qnn_hw" or inside == "__version__":
            continue
        other = inside.partition(".")[0]
        assert other in ALLOWED, f"{path.relative_to(PACKAGE)} imports {name}: no part of the package"
        if own in TRAINING | WORDS and other in ("analysis", "boards", "compiler", "frontends"):
            assert own == "models", f"{path.relative_to(PACKAGE)} imports {name}: only summary(board=...) may"
            continue
        assert other in ALLOWED[own] | GROUND | {own}, f"{path.relative_to(PACKAGE)} imports {name}: wrong direction"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_tensorflow_is_imported_by_the_training_api_and_the_keras_front_end_alone(path: Path) -> None:
    if part(path) in WITH_TENSORFLOW or path.is_relative_to(PACKAGE / "frontends" / "keras"):
        return
    heavy = {name for name in imports(path) if name.partition(".")[0] in ("tensorflow", "keras")}
    assert not heavy, f"{path.relative_to(PACKAGE)} imports {', '.join(heavy)}"


def test_the_bench_of_a_build_knows_nothing_of_the_package() -> None:
    for path in (PACKAGE / "simulation" / "bench").rglob("*.py"):
        foreign = {name for name in imports(path) if name.startswith("qnn_hw")}
        outside = {name for name in foreign if not name.startswith("qnn_hw.simulation.bench")}
        assert not outside, f"{path.name} imports {', '.join(outside)}; it travels without the package"


def test_parts_import_no_circle() -> None:
    """`ALLOWED` itself has no circle, apart from the methods of `Accelerator` that hand over."""
    handing_over = {"analyze", "build", "proof", "tables"}
    remaining = {name: set(others) - {name} for name, others in ALLOWED.items() if name not in TRAINING | WORDS}
    remaining["compiler"] = remaining["compiler"] - handing_over
    done = TRAINING | WORDS | GROUND
    while remaining:
        free = [name for name, others in remaining.items() if others <= done]
        assert free, f"a circle among {', '.join(sorted(remaining))}"
        done = done | set(free)
        for name in free:
            del remaining[name]
