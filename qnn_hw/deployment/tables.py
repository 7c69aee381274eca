# SPDX-License-Identifier: Apache-2.0
"""What a deployment found, as tables and sentences."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qnn_hw.tables import table

if TYPE_CHECKING:
    from rich.console import RenderableType

Facts = Mapping[str, Any]


def equal_sentence(run: Facts) -> str:
    """Return "N of N predictions equal", with the first difference where there is one."""
    sentence = f"{run['equal']} of {run['frames']} predictions equal"
    return sentence if run["bit_exact"] else f"{sentence}; first difference: {run['first_difference']}"


def simulated_parts(facts: Facts) -> "list[RenderableType]":
    """Return the result of the driver on the simulated board: cycles, and no wall clock, which is the simulator's."""
    rate = facts["board_frames_per_s"]
    rows = [
        *_proof(facts),
        ("frame interval", f"{facts['interval_cycles']:,} cycles" if facts["interval_cycles"] else "one frame only"),
        ("latency of the first frame", f"{facts['first_latency_cycles']:,} cycles"),
        *((("frames/s at that clock", f"{rate:,.0f}"),) if rate else ()),
        ("pynq, Python", f"{facts['pynq']}, {facts['python']}"),
        ("DMA transfers", f"{facts['transfers']:,}"),
    ]
    return [
        table("The driver on the SIMULATED board", ("", ""), rows),
        equal_sentence(facts),
        "real: the driver, pynq, the RTL; modelled: DMA, memory, clock registers; no board was used",
    ]


def fault_parts(facts: Facts) -> "list[RenderableType]":
    """Return what the driver made of a fault."""
    words = "equal" if facts["second_equal"] else "WRONG"
    named = (
        f"{facts['error']}: {facts['message']}"
        if facts["error"]
        else f"the driver noticed nothing; the words are {words}"
    )
    rows = [
        ("fault", f"{facts['fault']}: {facts['description']}"),
        ("batch before", "equal" if facts["first_equal"] else "DIFFERS"),
        ("batch with the fault", named),
        ("named after", f"{facts['seconds']:.2f} s (time-out {facts['timeout_s']:g} s), wall clock of the simulator"),
        ("batch after recovery", "equal" if facts["recovered"] else "NOT RECOVERED"),
    ]
    return [table("A fault on the SIMULATED board", ("", ""), rows)]


def deployed_parts(facts: Facts) -> "list[RenderableType]":
    """Return what was put on a board and, where it ran, the proof."""
    parts: list[RenderableType] = list(facts.get("notes", ()))
    if facts.get("commands"):
        parts += [f"# {command['purpose']}{os.linesep}{command['shell']}" for command in facts["commands"]]
        return [*parts, "dry run: nobody was contacted"]
    if facts.get("steps") and facts["run"] is None:
        return [*parts, *facts["steps"], "dry run: nobody was contacted"]
    run = facts["run"]
    if run is None:
        place = f"{facts['target']['host']}:{facts['folder']}"
        return [*parts, f"{_INSTALLED[facts['installed']]}: {place}", f"to run it there: {facts['how_to_run']}"]
    simulated = " (a simulated board: times are the simulator's)" if facts["simulated"] else ""
    latency = run["latency_ms"]
    rows = [
        *_proof(run),
        ("latency, batch 1", f"p50 {latency['p50']:.3f} ms, p99 {latency['p99']:.3f} ms"),
        ("throughput, driver included", f"{run['frames_per_s']:,.0f} frames/s"),
        ("frame interval", f"{run['interval_cycles']:,} cycles" if run["interval_cycles"] else "one frame only"),
        ("pynq", run["pynq"]),
    ]
    return [
        *parts,
        table(f"{facts['stem']} on {facts['target']['host']}{simulated}", ("", ""), rows),
        equal_sentence(run),
    ]


_INSTALLED = {"new": "installed", "replaced": "installed in the place of another", "same": "was there already"}


def _proof(run: Facts) -> list[tuple[str, str]]:
    rows = [("bit exact", f"{'yes' if run['bit_exact'] else 'NO'}, {run['frames']} frames")]
    if run["top1"] is not None:
        rows.append(("top-1", f"{run['top1']:.2%}"))
    if run["keras_equal"] is not None:
        rows.append(("decisions as Keras", f"{run['keras_equal']} of {run['frames']}"))
    return [*rows, ("clock, read back", f"{run['clock_mhz']:g} MHz")]
