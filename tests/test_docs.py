# SPDX-License-Identifier: Apache-2.0
"""The documentation holds: examples run and print what stands there, links lead somewhere, names and fields exist."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import typer.main

from qnn_hw.boards import load_board
from qnn_hw.build import manifest
from qnn_hw.cli import app
from qnn_hw.compiler import assemble
from tests.random_nets import Conv, Net, build

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("", "docs", "rtl", "boards", "tests", "examples", "hls_templates", "scripts")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
EXAMPLE = re.compile(r"^```python\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<output>.*?)^```$)?", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
MACHINE_PATH = re.compile(r"(?<![\w.<>$~}/-])/(?:home|root|tmp|work|usr|opt|mnt|var|Users)/\w")
REGISTRY_HOST = re.compile(
    r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|crates|artifactory|jfrog|anaconda)\.(?:org|io|com)\b"
)


def examples() -> Iterator[Any]:
    for page, name in zip(PAGES, NAMES, strict=True):
        for number, match in enumerate(EXAMPLE.finditer(page.read_text(encoding="utf-8")), 1):
            yield pytest.param(match["code"], match["output"], id=f"{name}-{number}")


@pytest.mark.parametrize(("code", "output"), list(examples()))
def test_example_runs_and_prints_what_stands_below_it(
    code: str, output: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    names: dict[str, Any] = {"__name__": "example"}
    with redirect_stdout(printed):
        exec(compile(code, "example", "exec"), names)
    if output is not None:
        assert _trimmed(printed.getvalue()) == _trimmed(output)
    if "verdict" in names:
        assert names["verdict"]["passed"], printed.getvalue()
        assert names["different"] == 0, printed.getvalue()


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name}: the link {target} leads nowhere"
        assert found.is_relative_to(ROOT), f"{name}: the link {target} leads out of the repository"
        if anchor:
            assert anchor in _anchors(found), f"{name}: {found.name} has no heading for #{anchor}"


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Anchors as GitHub makes them: lower case, punctuation dropped, spaces to hyphens."""
    headings = HEADING.findall(_prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, f"docs/README.md does not list {page.name}"


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder])
def test_a_table_names_only_what_is_there(folder: str) -> None:
    present = {path.name for path in (ROOT / folder).iterdir()} | {path.stem for path in (ROOT / folder).iterdir()}
    for row in _rows(ROOT / folder / "README.md"):
        for name in re.findall(r"`([\w.-]+)/?`", row[0]):
            assert name in present, f"{folder}/README.md: {name} is not in {folder}/"


def test_every_board_and_rtl_module_has_its_row() -> None:
    for folder, pattern in (("boards", "*.toml"), ("rtl", "*.sv")):
        first_cells = " ".join(row[0] for row in _rows(ROOT / folder / "README.md"))
        for path in sorted((ROOT / folder).glob(pattern)):
            name = path.name if pattern == "*.toml" else path.stem
            assert f"`{name}`" in first_cells, f"{folder}/README.md has no row for {path.name}"


def _rows(page: Path) -> list[list[str]]:
    """Cells of every table row, headings and rules left out."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0].startswith("`")]


def test_manifest_fields_are_documented() -> None:
    documented = _documented_fields()
    found: set[str] = set()
    for net, output in (
        (Net((6, 6, 2), (Conv(4, pool=(2, 2)),), (8,), classes=4), "class"),
        (Net((12,), dense=(6,), classes=3), "logits"),
    ):
        accelerator = assemble(build(net, seed=1), load_board("pynq-z2"), target_fps=100_000, output=output)
        found |= set(_fields({**manifest(accelerator), "notes": ["a note"]}))
    assert documented == found, f"only in docs: {documented - found}; only in qnn.json: {found - documented}"


def _documented_fields() -> set[str]:
    text = (ROOT / "docs" / "build_folder.md").read_text(encoding="utf-8")
    section = text.partition("## qnn.json")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.M))


def _fields(value: Any, path: str = "") -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _fields(inner, f"{path}.{key}" if path else key)
        case [dict(), *_]:
            for entry in value:
                yield from _fields(entry, f"{path}[]")
        case [str(), *_]:
            yield f"{path}[]" if path == "notes" else path
        case _:
            yield path


def _commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_options_exist(name: str) -> None:
    commands = _commands()
    options = {
        command: {text for parameter in found.params for text in (*parameter.opts, *parameter.secondary_opts)}
        for command, found in commands.items()
    }
    text = (ROOT / name).read_text(encoding="utf-8")
    for match in re.finditer(r"(?:`|^    )qnn-hw ([a-z]\w*)([^`\n#]*)", text, re.M):
        command, rest = match.groups()
        assert command in commands, f"{name}: there is no command qnn-hw {command}"
        for option in re.findall(r"--[a-z][\w-]*", rest):
            assert option in options[command], f"{name}: qnn-hw {command} has no option {option}"
    everywhere = set().union(*options.values(), {"--help", "--version"})
    # Options of other programs: the bench of a build, and the examples.
    everywhere |= {"--frames", "--scenarios", "--opt", "--data"}
    for option in re.findall(r"`(--[a-z][\w-]*)", text):
        if name not in ("hls_templates/README.md", "docs/registers.md"):
            assert option in everywhere, f"{name}: there is no option {option}"


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for known in _commands():
        assert f"`qnn-hw {known}" in text, f"README.md does not name the command {known}"


@pytest.mark.parametrize("name", NAMES)
def test_no_path_or_host_of_a_machine(name: str) -> None:
    for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
        found = MACHINE_PATH.search(line) or REGISTRY_HOST.search(line)
        assert found is None, f"{name}:{number}: {found[0]} belongs to one machine; name it in words"
