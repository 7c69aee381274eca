# SPDX-License-Identifier: Apache-2.0
"""A build as an installable PYNQ overlay: a wheel of bitstream, driver, golden vectors and notebook."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qnn_hw.backends.folder import read_manifest
from qnn_hw.deployment.checks import check_build, check_kind
from qnn_hw.errors import QnnError


def package(build: Path, out: Path) -> Path:
    """Write the overlay wheel of a build; the same build gives the same bytes.

    The wheel holds one Python package with everything flat in it, named by two entry points: `pynq.overlays`, so that
    `Overlay("<stem>.bit")` finds the bitstream, and `pynq.notebooks`, so that `pynq get-notebooks` delivers the folder.
    It requires nothing: installing it changes no package of the board's image.

    Args:
        build: build folder, after `qnn-hw synth BUILD --tool vivado`.
        out: folder for the wheel (made if absent), or the wheel's own path. The file name is fixed by the build (name,
            version, graph hash, board), because pip reads it.

    Returns:
        The wheel written.

    Raises:
        QnnError: if the build fails a check of `qnn_hw.deployment.checks`, `out` names another file, or it cannot be
            written.
    """
    payload = check_build(build)
    check_kind(payload, "wheel", is_simulated=False)
    facts = payload.facts
    name = "qnn-" + _words(facts["stem"].rpartition("-")[0])
    module = name.replace("-", "_")
    version = _version(facts, read_manifest(build))
    file = f"{module}-{version}-py3-none-any.whl"
    if out.suffix == ".whl" and out.name != file:
        raise QnnError(f"{out}: pip takes a wheel by its name alone; name it {file}, or give a folder")
    folder = out.parent if out.suffix == ".whl" else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".qnn-wheel-", dir=folder) as scratch:
            root = Path(scratch)
            _write_project(root, payload.paths, facts, name, module, version)
            made = _build_wheel(root)
            return made.replace(folder / file)
    except OSError as error:
        raise QnnError(f"{out}: the wheel cannot be written: {error.strerror or error}") from None


def _words(text: str) -> str:
    """Return `text` as a project name: runs of letters and digits between dashes."""
    return "-".join(re.findall("[a-z0-9]+", text.lower())) or "network"


def _version(facts: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    # The letter: a local version part of digits alone is a number, and 00123456 would become 123456. The board: two
    # boards with the same port width share a graph hash, not a bitstream.
    board = re.sub("[^a-z0-9]", "", facts["board"].lower())
    return f"{manifest['tool_versions']['qnn-hw']}+h{facts['graph_hash'][:8]}.{board}"


def _write_project(
    root: Path, files: tuple[Path, ...], facts: Mapping[str, Any], name: str, module: str, version: str
) -> None:
    import tomli_w

    package = root / module
    package.mkdir()
    for path in files:
        shutil.copyfile(path, package / path.name)
    (package / "__init__.py").write_text(_init(facts, module), encoding="utf-8")
    (root / "README.md").write_text(_readme(facts, name, module, version), encoding="utf-8")
    shutil.copyfile(root / "README.md", package / "README.md")
    # The boards' images have a pip of 2022: no newer fields of metadata than it knows.
    target = {"packages": [module], "core-metadata-version": "2.1"}
    project = {
        "build-system": {"requires": ["hatchling"], "build-backend": "hatchling.build"},
        "project": {
            "name": name,
            "version": version,
            "description": f"PYNQ overlay: {facts['name']} for {facts['board_title']}, graph {facts['graph_hash']}",
            "readme": "README.md",
            "requires-python": ">=3.10",
            "dependencies": [],
            "entry-points": {"pynq.overlays": {module: module}, "pynq.notebooks": {module: module}},
        },
        "tool": {"hatch": {"build": {"ignore-vcs": True, "targets": {"wheel": target}}}},
    }
    (root / "pyproject.toml").write_text(tomli_w.dumps(project), encoding="utf-8")


def _build_wheel(root: Path) -> Path:
    from hatchling.builders.wheel import WheelBuilder

    (made,) = WheelBuilder(str(root)).build(directory=str(root / "dist"), versions=["standard"])
    return Path(made)


def _init(facts: Mapping[str, Any], module: str) -> str:
    return f'''"""{facts["name"]} for {facts["board_title"]}: a PYNQ overlay, graph hash {facts["graph_hash"]}.

    from {module}.qnn_driver import Accelerator

    with Accelerator() as accelerator:
        print(accelerator.validate())
"""
'''


def _readme(facts: Mapping[str, Any], name: str, module: str, version: str) -> str:
    return f"""# {name}

{facts["name"]} as a PYNQ overlay for {facts["board_title"]} ({facts["part"]}), graph hash {facts["graph_hash"]}.
Runs on PYNQ {", ".join(facts["pynq_versions"])}.

With the wheel in the home folder of `xilinx`, on the board, in a root shell that logged in (`sudo -i`): it has the
image's whole environment, without which pynq finds no device.

    pip install --no-deps --no-index --force-reinstall ~xilinx/{module}-{version}-py3-none-any.whl
    pynq get-notebooks --force --path ~xilinx/jupyter_notebooks {module}

The wheel requires nothing, so nothing else on the board changes: NumPy and pynq are those of the image. `--no-deps`
says so to pip, `--no-index` keeps it off the network, `--force-reinstall` lets a new implementation of the same
network, whose version is the same, take the place of the old one. `pip uninstall {name}` takes it away again.

`pynq get-notebooks` copies the notebook, with bitstream, driver and golden vectors, to the folder `{module}` of
Jupyter; with `--force` over an older copy there, too. In a program of your own, run by root in the same environment:

    from {module}.qnn_driver import Accelerator

    with Accelerator() as accelerator:
        print(accelerator.validate())   # the golden vectors that travel with it
"""
