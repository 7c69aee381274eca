# SPDX-License-Identifier: Apache-2.0
"""The wheel, installed into an environment of its own and used from an empty folder, far from the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from qnn_hw.resources import resource_dir

ROOT = Path(__file__).resolve().parents[1]


def _run(command: list[str], cwd: Path) -> str:
    """Run `command` without the checkout on any path and return what it prints; fail with its output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    (path,) = folder.glob("qnn_hw-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment with the wheel and the dependencies of the running one."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    _run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], folder
    )
    site_packages = Path(
        _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    )
    # Dependencies only: .pth files in a folder named by a .pth file are not read, so an editable qnn-hw stays out.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_wheel_carries_every_resource(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    for name in ("rtl", "hls_templates", "boards"):
        folder = resource_dir(name)  # type: ignore[arg-type]
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"qnn_hw/_resources/{name}/{path.relative_to(folder).as_posix()}" in inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/", "boards/", "rtl/"))]


def test_the_installed_package_finds_its_own_resources(installed: Path, tmp_path: Path) -> None:
    script = (
        "import qnn_hw\n"
        "from qnn_hw.boards import load_board\n"
        "from qnn_hw.resources import resource_dir\n"
        "from qnn_hw.synthesis import sources_of\n"
        "print(qnn_hw.__file__)\n"
        "print(load_board('pynq-z2').part)\n"
        "print(resource_dir('rtl'))\n"
        "print(len(sources_of('qnn_popcount', resource_dir('rtl'))))\n"
    )
    package, part, rtl, n_sources = _run([str(installed / "python"), "-c", script], tmp_path).split()
    assert Path(package).is_relative_to(installed.parent), f"qnn_hw came from {package}"
    assert Path(rtl) == Path(package).parent / "_resources" / "rtl"
    assert part == "xc7z020clg400-1"
    assert int(n_sources) >= 1


def test_the_command_line_starts_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert "build" in _run([str(installed / "qnn-hw"), "--help"], tmp_path)
    assert "pynq-z2" in _run([str(installed / "qnn-hw"), "boards"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_builds_an_accelerator(installed: Path, tmp_path: Path) -> None:
    _run(
        [str(installed / "python"), "-c", "from qnn_hw.zoo import digits_mlp; digits_mlp().save('net.keras')"], tmp_path
    )
    _run([str(installed / "qnn-hw"), "build", "net.keras", "--out", "accelerator"], tmp_path)
    build = tmp_path / "accelerator"
    for name in ("qnn.json", "graph.txt", "rtl/qnn_top.sv", "rtl/qnn_core.sv", "rtl/qnn_shell.sv"):
        assert (build / name).is_file(), f"{name} is missing from the build"
