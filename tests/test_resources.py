# SPDX-License-Identifier: Apache-2.0
"""Where the files that are not Python are found."""

from pathlib import Path
from typing import Literal

import pytest

from qnn_hw import resources
from qnn_hw.errors import QnnError

FOLDERS: tuple[Literal["rtl", "hls_templates", "boards"], ...] = ("rtl", "hls_templates", "boards")


@pytest.mark.parametrize("name", FOLDERS)
def test_every_folder_is_found_beside_the_checkout(name: Literal["rtl", "hls_templates", "boards"]) -> None:
    folder = resources.resource_dir(name)
    assert folder.is_dir()
    assert any(folder.iterdir()), f"{folder} is empty"


def test_the_installed_folder_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "qnn_hw"
    for folder in (package / "_resources" / "rtl", tmp_path / "rtl"):
        folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.resource_dir("rtl") == package / "_resources" / "rtl"


def test_a_folder_beside_an_installed_package_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "qnn_hw"
    (tmp_path / "boards").mkdir()  # as some other package in site-packages might bring
    monkeypatch.setattr(resources, "_PACKAGE", package)
    with pytest.raises(QnnError, match=r"the folder 'boards' is neither in .*; install qnn-hw again"):
        resources.resource_dir("boards")


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QNN_HW_CACHE", str(tmp_path / "here"))
    assert resources.cache_dir() == tmp_path / "here"
    monkeypatch.delenv("QNN_HW_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resources.cache_dir() == tmp_path / ".cache" / "qnn-hw"
