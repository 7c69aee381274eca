# SPDX-License-Identifier: Apache-2.0
"""The slowest path of a netlist: by hand on small netlists, on real ones by yosys, kept beside the counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir
from qnn_hw.synthesis import SynthesisJob, Timing, sources_of, synthesize, timing_of, timings_of
from qnn_hw.synthesis import yosys as driver
from qnn_hw.synthesis.timing import NET_PS, analyse, as_json, from_json

DIRECTIONS = {"O": "output", "Q": "output", "CO": "output", "DOA": "output", "P": "output"}


def cell(kind: str, **pins: list[int]) -> dict[str, Any]:
    return {
        "type": kind,
        "connections": pins,
        "port_directions": {pin: DIRECTIONS.get(pin, "input") for pin in pins},
        "parameters": {},
    }


def netlist(cells: dict[str, Any], inputs: dict[str, int], outputs: dict[str, int]) -> dict[str, Any]:
    ports = {name: {"direction": "input", "bits": [bit]} for name, bit in inputs.items()}
    ports |= {name: {"direction": "output", "bits": [bit]} for name, bit in outputs.items()}
    names = {f"n{bit}": {"bits": [bit], "hide_name": 0} for bit in range(2, 40)}
    return {"modules": {"top": {"ports": ports, "cells": cells, "netnames": names}}}


def test_two_luts_between_registers_add_up_as_the_table_of_delays_says() -> None:
    found = analyse(
        netlist(
            {
                "from": cell("FDRE", C=[2], D=[3], Q=[4]),
                "lut_a": cell("LUT2", I0=[4], I1=[5], O=[6]),
                "lut_b": cell("LUT6", I0=[6], I1=[5], O=[7]),
                "to": cell("FDRE", C=[2], D=[7], Q=[8]),
            },
            {"aclk": 2, "d": 3, "x": 5},
            {"q": 8},
        ),
        "top",
    )
    assert found is not None
    # Clock to output, three nets, LUT2 through its slow pin, LUT6 through its slowest, no setup.
    assert found.estimate_ns == pytest.approx((303 + 3 * NET_PS + 238 + 642) / 1000)
    assert (found.levels, found.max_levels, found.carry4) == (2, 2, 0)
    assert found.cells == ("FDRE", "LUT2", "LUT6", "FDRE")
    assert (found.start, found.end) == ("n4.Q", "n8.D")
    assert "2 LUT levels" in found.text(100) and "no placement; estimate" in found.text(100)
    assert "below" in found.text(100) and "ABOVE" in found.text(500)


def test_a_carry_chain_pays_no_net_between_its_cells() -> None:
    def carry(first: int, out: int, after: int) -> dict[str, Any]:
        pins = {"CI": [first], "CYINIT": ["0"], "S": ["0", "0", "0", "0"], "DI": ["0", "0", "0", "0"]}
        return cell("CARRY4", **pins, O=[out, out + 1, out + 2, out + 3], CO=[after, after + 1, after + 2, after + 3])

    found = analyse(
        netlist({"low": carry(3, 10, 20), "high": carry(23, 14, 30)}, {"ci": 3}, {"sum": 17}),
        "top",
    )
    assert found is not None
    # Into the chain a net, through the first cell 114, inside the slices none, CI to O[3] 313, a net to the port.
    assert found.estimate_ns == pytest.approx((303 + NET_PS + 114 + 0 + 313 + NET_PS) / 1000, abs=NET_PS / 1000 + 0.001)
    assert (found.levels, found.carry4) == (0, 2)


def test_wires_and_constants_have_a_path_of_one_net_or_none() -> None:
    wire = analyse(netlist({}, {"a": 2}, {"b": 2}), "top")
    assert wire is not None and wire.cells == ("input port", "output port") and wire.levels == 0
    assert analyse(netlist({}, {"a": 2}, {}), "top") is None


def test_a_combinational_loop_is_named() -> None:
    loop = {"a": cell("LUT1", I0=[3], O=[4]), "b": cell("LUT1", I0=[4], O=[3])}
    with pytest.raises(QnnError, match="timing of top: 2 nets lie on or behind a combinational loop"):
        analyse(netlist(loop, {}, {"q": 4}), "top")


def test_results_are_read_back_and_others_versions_are_not() -> None:
    timing = Timing(2, 3, 1, ("FDRE", "LUT6", "CARRY4", "FDRE"), 3.25, "a.Q", "b.D")
    assert from_json(as_json(timing)) == (True, timing)
    assert from_json(as_json(None)) == (True, None)
    older = {**json.loads(as_json(timing)), "version": 0}
    assert from_json(json.dumps(older)) == (False, None)
    assert from_json("damaged") == (False, None)


def job(module: str, **parameters: int) -> SynthesisJob:
    return SynthesisJob(sources_of(module, resource_dir("rtl")), module, parameters)


def test_paths_come_with_the_counts_and_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converter = job("qnn_width_converter", InWidth=2, OutWidth=8)
    synthesize(converter.sources, converter.top, parameters=converter.parameters, cache_dir=tmp_path)

    def never(*_: object) -> dict[str, int]:
        raise AssertionError("yosys ran although the paths were kept")

    monkeypatch.setattr(driver, "_run", never)
    found = timing_of(converter, cache_dir=tmp_path)
    assert found is not None
    assert 1 <= found.levels <= found.max_levels <= 3, found
    assert 1.0 < found.estimate_ns < 10.0, found


@pytest.mark.parametrize("damaged", ["missing", "damaged"])
def test_counts_kept_without_paths_are_completed(damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    timing = Timing(1, 1, 0, ("FDRE", "LUT2", "FDRE"), 1.7, "a.Q", "b.D")

    def run(job: SynthesisJob, _: object, __: object, folder: Path, key: str, *___: object) -> dict[str, int]:
        runs.append(job.top)
        if len(runs) > 1:
            (folder / "timing" / f"{key}.json").write_text(as_json(timing))
        elif damaged == "damaged":
            (folder / "timing").mkdir()
            (folder / "timing" / f"{key}.json").write_text("damaged")
        else:
            (folder / "timing").mkdir()
        return {"LUT2": 1}

    monkeypatch.setattr(driver, "_run", run)
    converter = job("qnn_width_converter", InWidth=2, OutWidth=8)
    synthesize(converter.sources, converter.top, parameters=converter.parameters, cache_dir=tmp_path)
    assert timings_of([converter], cache_dir=tmp_path) == [timing]
    assert timings_of([converter], cache_dir=tmp_path) == [timing]
    assert len(runs) == 2, "once for the counts, once for the paths"


@pytest.mark.slow
def test_wider_popcounts_are_deeper(tmp_path: Path) -> None:
    narrow, wide = timings_of([job("qnn_dot_xnor", SIMD=3), job("qnn_dot_xnor", SIMD=36)], cache_dir=tmp_path)
    assert narrow is not None and wide is not None
    assert narrow.max_levels == 1, narrow
    assert wide.max_levels >= 4 and wide.estimate_ns > narrow.estimate_ns, (narrow, wide)
