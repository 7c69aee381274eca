# SPDX-License-Identifier: Apache-2.0
"""The report: a well-formed page that needs nothing else, whose every number is the one in its JSON."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.backends.folder import read_build
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from qnn_hw.report import render, report_facts, write_report
from qnn_hw.report.page import TEMPLATES, show
from qnn_hw.results import save_result
from tests.random_nets import build as build_net
from tests.report.conftest import CHAIN, ODD, implementation, on_board, verdict, write
from tests.report.document import Element, read

BUILDS = ("chain", "measured", "branches")
PREFIX = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0}


@pytest.fixture(scope="module", params=BUILDS)
def build(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture(scope="module")
def page(build: Path) -> str:
    return render(report_facts(build))


@pytest.fixture(scope="module")
def root(page: str) -> Element:
    return read(page)


@pytest.fixture(scope="module")
def facts(root: Element) -> Any:
    (script,) = root.all("script")
    assert script.attributes == {"type": "application/json", "id": "facts"}
    return json.loads(script.text)


def lookup(facts: Any, path: str) -> Any:
    for key in path.split("."):
        facts = facts[int(key)] if isinstance(facts, list) else facts[key]
    return facts


def shown(text: str, kind: str) -> tuple[float, float]:
    """What a number on the page says, and by how much it may be rounded; read without the code that wrote it."""
    match = re.fullmatch(r"(\u2212?)([\d,]+)(\.\d+)?( %)?(?: ([TGMk])|\u00a0)?", text)
    assert match, f"{text!r} is no number"
    sign, whole, decimals, percent, prefix = match.groups()
    scale = 0.01 if percent else PREFIX[prefix or ""]
    assert bool(percent) == kind.startswith("%")
    value = float(whole.replace(",", "") + (decimals or "")) * scale
    return (-value if sign else value), 0.5 * scale * 10.0 ** -len((decimals or ".")[1:])


def test_the_embedded_json_is_what_the_page_was_made_of(build: Path, facts: Any) -> None:
    assert facts == json.loads(json.dumps(report_facts(build)))


def test_every_fact_on_the_page_is_the_one_in_the_json(root: Element, facts: Any) -> None:
    elements = [element for element in root.all() if "data-fact" in element.attributes]
    assert len(elements) > 300
    for element in elements:
        path, kind = element.attributes["data-fact"], element.attributes["data-as"]
        value, text = lookup(facts, path), element.text
        if value is None:
            assert text == "\u2013", f"{path} is null, shown as {text!r}"
        elif kind == "text":
            assert text == str(value), path
        elif kind == "cut":
            assert text.endswith("…"), path
            assert value.startswith(text[:-1]), path
        elif kind == "date":
            assert re.sub(r"\D", "", text) == re.sub(r"\D", "", value), path
        elif kind in ("shape", "list"):
            assert [int(number) for number in re.findall(r"\d+", text)] == value, path
        else:
            number, half = shown(text, kind)
            assert abs(number - value) <= half * (1 + 1e-9), f"{path} is {value}, shown as {text!r}"


def test_no_number_in_a_table_or_drawing_comes_from_elsewhere(root: Element) -> None:
    for element, text in root.texts():
        around = list(element.around())
        place = next((e for e in around if e.tag in ("td", "th", "text", "dd", "caption")), None)
        if place is None or not re.search(r"\d", text) or any(e.tag in ("thead", "title") for e in around):
            continue
        if place.attributes.get("class") == "tick":
            continue
        assert any("data-fact" in e.attributes for e in around), f"{text!r} in <{place.tag}> names no fact"


def test_every_bar_is_as_long_as_its_share(root: Element, facts: Any) -> None:
    bars = [element for element in root.all("i") if "data-bar" in element.attributes]
    assert len(bars) >= 2 * len(facts["schedule"]["stages"])
    for bar in bars:
        share = min(1.0, lookup(facts, bar.attributes["data-bar"]))
        match = re.fullmatch(r"width:([\d.]+)%", bar.attributes["style"])
        assert match and abs(float(match[1]) / 100 - share) <= 1e-4, bar.attributes


def test_it_needs_nothing_from_outside(page: str, root: Element) -> None:
    assert not re.search(r"https?:|@import|//[a-z]+\.", page), "an address of another machine"
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    for element in root.all():
        assert element.tag not in ("link", "img", "iframe", "object", "embed", "base", "form"), element.tag
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert name not in element.attributes, f"<{element.tag} {name}>"
        assert not any(name.startswith("on") for name in element.attributes), f"<{element.tag}> runs a script"
    assert [script.attributes["type"] for script in root.all("script")] == ["application/json"]


def test_every_operator_and_stream_is_drawn(build: Path, root: Element) -> None:
    graph = read_build(build).graph
    nodes = [element.attributes["data-node"] for element in root.all("g") if "data-node" in element.attributes]
    assert sorted(nodes) == sorted(["dma_in", *(op.name for op in graph.ops), "dma_out"])
    edges = [element.attributes["data-edge"] for element in root.all("path") if "data-edge" in element.attributes]
    assert sorted(edges) == sorted([*graph.types, "outside, in", "outside, out"])


def test_every_layer_stage_queue_and_stream_has_its_row(root: Element, facts: Any) -> None:
    rows = {
        element.attributes["data-fact"]
        for head in root.all("th")
        for element in head.all("span")
        if "data-fact" in element.attributes
    }
    wanted = [f"layers.{i}.layer" for i in range(len(facts["layers"]))]
    wanted += [f"schedule.stages.{i}.name" for i in range(len(facts["schedule"]["stages"]))]
    wanted += [f"schedule.queues.{i}.name" for i in range(len(facts["schedule"]["queues"]))]
    wanted += [f"streams.{i}.stream" for i in range(len(facts["streams"]))]
    assert set(wanted) <= rows


def test_an_odd_name_is_escaped(chain: Path) -> None:
    page = render(report_facts(chain))
    root = read(page)
    assert ODD in [row["layer"] for row in report_facts(chain)["layers"]]
    assert any(element.text == ODD for element in root.all("span"))
    assert "<b>&" not in page
    assert page.count("</script>") == 1


def test_sums_of_the_tables(measured: Path) -> None:
    facts = report_facts(measured)
    for how in ("estimated", "synthesized"):
        for key in ("lut", "ff", "bram36_equivalent", "dsp"):
            layers = sum(row[how][key] for row in facts["layers"] if row[how] is not None)
            shell, total = (facts["resources"][part][how][key] for part in ("shell", "sum"))
            assert layers + shell == pytest.approx(total), f"{how} {key}"
        assert sum(row[f"{how}_share"] for row in facts["resources"]["parts"]) == pytest.approx(1)


def test_shares_of_a_stage_add_up(build: Path) -> None:
    for stage in report_facts(build)["schedule"]["stages"]:
        assert stage["busy"] + stage["blocked"] + stage["starved"] == pytest.approx(1), stage["name"]


def test_operations_of_the_roofline(measured: Path) -> None:
    facts = report_facts(measured)
    found = facts["roofline"]
    macs = {row["layer"]: row["macs"] for row in facts["layers"]}
    assert {row["layer"]: row["ops_per_frame"] for row in found["layers"]} == {
        layer: 2 * count for layer, count in macs.items() if count
    }
    binary = {row["layer"] for row in found["layers"] if row["binary"]}
    assert binary == set(macs) & {row["layer"] for row in facts["layers"] if row["macs"] and row["input_dtype"] == "b1"}
    assert found["total"]["ops_per_frame"] == sum(2 * macs[layer] for layer in binary)
    assert found["roofs"]["bram_bits_per_s"] == 140 * 72 * 100e6
    assert [roof["lanes"] for roof in found["roofs"]["lut"]] == [int(33_900 / 1.44), int(33_900 / 1.17)]
    for row in found["layers"]:
        assert row["ops_per_s"] <= row["peak_ops_per_s"] * (1 + 1e-9), row["layer"]


def status(path: Path) -> str:
    """The words at the top of the page."""
    root = read(render(report_facts(path)))
    (found,) = [e for e in root.all("div") if e.attributes.get("class", "").startswith("status")]
    return " ".join(found.text.split())


def test_status_without_a_simulation(chain: Path) -> None:
    assert status(chain) == f"○ Not simulated yet Run qnn-hw simulate {chain}"


def test_status_of_a_build_that_was_simulated(measured: Path) -> None:
    text = status(measured)
    assert text.startswith("✓ Simulated bit-exact 7 images in 3 scenarios")
    assert text.endswith("Decisions that differ from Keras: 0 of 7.")


def test_a_stale_result_is_never_shown_as_current(branches: Path) -> None:
    page = render(report_facts(branches))
    assert "belongs to another build and is not shown" in status(branches)
    assert "424242" not in page and "424,242" not in page
    assert "✓" not in page


def test_a_failed_simulation_is_shown_with_its_findings(tmp_path: Path) -> None:
    path = write(tmp_path / "net", CHAIN)
    finding = {"kind": "stream", "text": "stream conv0: image 3, <row> 2: expected 1, got 0"}
    scenarios = [{"name": "steady", "passed": False, "findings": [finding]}]
    save_result(path, "simulation-rtl", verdict(passed=False, scenarios=scenarios, cycles_agree=False))
    root = read(render(report_facts(path)))
    assert status(path).startswith("✗ The simulation FAILED")
    assert any(element.text == finding["text"] for element in root.all("td"))
    assert "not as predicted (765 and 1,234)" in root.text


def test_a_simulation_as_predicted_is_not_blamed(measured: Path) -> None:
    assert "not as predicted" not in read(render(report_facts(measured))).text


def section(path: Path, name: str) -> Element:
    (found,) = [e for e in read(render(report_facts(path))).all("section") if e.attributes.get("id") == name]
    return found


def test_what_vivado_and_the_boards_said(measured: Path) -> None:
    found = section(measured, "board")
    text = " ".join(found.text.split())
    assert "Placed and routed by Vivado 2024.1" in text
    assert "timing met at 100 MHz (asked for 100), setup slack 0.51 ns, hold slack 0.02 ns" in text
    assert "Slowest path: u_fc1/a_reg[3]/C to b/D" in text
    rows = {next(row.all("th")).text: [cell.text for cell in row.all("td")] for row in found.all("tr")}
    assert rows["whole accelerator"][0] == "777" and rows["with DMA and interconnect"][0] == "3,888"
    assert rows["pynq-z2 has"] == ["53,200", "106,400", "140", "220"]
    assert "Driver on the simulated board: passed" in text and "Driver on the board: failed" in text
    assert "20 of 21 results equal word for word, 20 of the class Keras decides, 90.0 % of them right" in text
    assert "a frame every 765 cycles (130,718 frames/s), the first after 1,234" in text
    assert text.count("By the wall clock") == 1, "a simulator's clock says nothing of a board"
    assert "one frame alone 0.46 ms in the middle and 1.25 ms for 99 of 100" in text
    assert "only the figures under Board were placed and routed" in read(render(report_facts(measured))).text


def test_a_build_that_no_board_has_seen(chain: Path) -> None:
    text = " ".join(section(chain, "board").text.split())
    assert f"No bitstream yet, run qnn-hw synth {chain} --tool vivado where Vivado is installed." in text
    assert f"Driver on the simulated board: not run Run qnn-hw deploy {chain} --simulate" in text
    assert f"Driver on the board: not run Run qnn-hw deploy {chain} --host HOST --run" in text
    assert "nothing on this page was placed or routed" in read(render(report_facts(chain))).text


def test_results_of_another_build_say_nothing_of_this_one(tmp_path: Path) -> None:
    path = write(tmp_path / "net", CHAIN)
    for kind, facts in (("synthesis-vivado", implementation(path)), ("board", on_board())):
        file = save_result(path, kind, facts)
        file.write_text(json.dumps({**json.loads(file.read_text()), "graph_hash": "0" * 32}))
    page = render(report_facts(path))
    text = " ".join(section(path, "board").text.split())
    assert "No bitstream yet (the one of " in text and "belongs to another build and is not shown" in text
    for figure in ("3,888", "5,777", "98,765", "u_fc1/a_reg"):
        assert figure not in page


def test_a_board_without_keras_labels_and_latency(tmp_path: Path) -> None:
    path = write(tmp_path / "net", CHAIN)
    unknown = dict.fromkeys(("keras_equal", "top1", "latency_ms", "frames_per_s"))
    save_result(path, "board", on_board(**unknown, interval_cycles=0))
    text = " ".join(section(path, "board").text.split())
    assert "21 of 21 results equal word for word. Counted by the accelerator: a frame every 0 cycles (\u2013" in text
    assert "Keras" not in text and "wall clock" not in text


def test_a_board_of_the_users_own(tmp_path: Path) -> None:
    board = replace(load_board("pynq-z2"), name="bench-7", title="The one on the bench", lut=20_000)
    path = assemble(build_net(CHAIN, seed=5), board, target_fps=20_000).write(tmp_path / "net")
    facts = report_facts(path)
    assert facts["board"]["lut"] == 20_000
    text = read(render(facts)).text
    assert "The one on the bench" in text
    assert "A full bar is what bench-7 holds." in text


def test_the_same_build_gives_the_same_bytes(measured: Path, tmp_path: Path) -> None:
    first, second = (write_report(measured, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_the_report_goes_into_the_build_and_folders_are_made(tmp_path: Path) -> None:
    path = write(tmp_path / "net", CHAIN)
    assert write_report(path) == path / "report.html"
    assert write_report(path, tmp_path / "a" / "b" / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_what_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"nowhere: no such folder; make a build with `qnn-hw build`$"):
        write_report(tmp_path / "nowhere", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_damaged_result_stops_the_report(tmp_path: Path) -> None:
    path = write(tmp_path / "net", CHAIN)
    file = save_result(path, "simulation-rtl", verdict())
    file.write_text("{")
    with pytest.raises(QnnError, match=r"simulation-rtl\.json: damaged \(.*\); repeat `qnn-hw simulate .*`, or remove"):
        write_report(path)
    assert not (path / "report.html").exists()


def test_an_output_that_cannot_be_written(chain: Path, tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r": is a folder; give the name of a file$"):
        write_report(chain, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(QnnError, match=r"page\.html: cannot be written: (Not a directory|File exists)$"):
        write_report(chain, tmp_path / "file" / "page.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "0", "\u2013"),
        (1536, "0", "1,536"),
        (-1151, "0", "\u22121,151"),
        (1536.0, "any", "1,536"),
        (2.5, "any", "2.5"),
        (0.0396, "%1", "4.0 %"),
        (34.672, "2", "34.67"),
        (0, "si", "0\u00a0"),
        (42.75e9, "si", "42.8 G"),
        (656640, "si", "657 k"),
        ([8, 8, 16], "shape", "8 \u00d7 8 \u00d7 16"),
        ([], "list", ""),
        ("2026-01-31T09:05Z", "date", "2026-01-31 09:05 UTC"),
    ],
)
def test_formats(value: Any, kind: str, text: str) -> None:
    assert show(value, kind) == text


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(theme: str) -> None:
    """Contrast of 4.5 and more, what WCAG 2 asks of small text."""
    style = (TEMPLATES / "style.css").read_text()
    blocks = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)
    ]
    colours = blocks[0] | (blocks[1] if theme == "dark" else {})
    for text in ("ink", "soft", "accent", "good", "bad"):
        for behind in ("paper", "panel", "node"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[behind])), reverse=True)
            contrast = (light + 0.05) / (dark + 0.05)
            assert contrast >= 4.5, f"{text} on {behind}: {contrast:.2f}"
