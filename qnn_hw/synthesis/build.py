# SPDX-License-Identifier: Apache-2.0
"""Synthesis of a whole build folder: every operator's module apart, the shell, and the top in one piece."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.backends.folder import read_build
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl.core import HASH_FILE, interface, shell_parameters
from qnn_hw.synthesis.timing import LABEL, NET_PS, Timing
from qnn_hw.synthesis.yosys import Progress, SynthesisJob, find_yosys, sources_of, synthesize_many, timings_of


def synthesize_build(
    folder: Path,
    *,
    whole_top: bool = True,
    workers: int = 2,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Count what a build occupies.

    Each operator of the folded graph is synthesized as its module with its parameters and its own tables, which counts
    what it really costs: constants in tables are optimised into the logic around them. `sum` adds the operators and
    the shell; `top` is the same synthesized in one piece, across module borders.

    Args:
        folder: written by `qnn-hw build`.
        whole_top: also synthesize `qnn_top`; takes as long as the rest together.
        workers: yosys processes at a time.
        cache_dir: as in `synthesize`.
        progress: called with one sentence now and then.

    Returns:
        `tool` (name, version, origin), `board`, `operators` (layer, operator, name, module, the fields of `Resources`,
        `bram36_equivalent` and `depth`), `shell`, `sum`, `top` (None without `whole_top`), `budget` (what the board
        holds) and `timing` (`label`, `clock_mhz`, `period_ns`, `net_ps` and
        `worst`: name of the operator, shell or top with the longest estimate, None without any). A `depth` holds the
        fields of `Timing`, None for a module of wires; `shell` and `top` have one, too.

    Raises:
        QnnError: the folder is no build, or yosys failed.
    """
    build = read_build(folder)
    manifest, graph = build.manifest, build.graph
    rtl, data = folder / "rtl", folder / "rtl" / "data"
    modules = [(op, printed) for op in graph.ops if (printed := instance(op, graph)).module]
    jobs = [
        SynthesisJob(
            sources_of(printed.module, rtl), printed.module, printed.parameters, data, tuple(sorted(printed.tables))
        )
        for _, printed in modules
    ]
    shell = shell_parameters(graph, interface(graph, int(manifest["dma_width_bits"])))
    parameters: dict[str, int | str] = {**shell, "Counters": 0, "HashFile": HASH_FILE}
    jobs.append(SynthesisJob(sources_of("qnn_shell", rtl), "qnn_shell", parameters, data, (HASH_FILE,)))
    if whole_top:
        jobs.append(SynthesisJob(sources_of("qnn_top", rtl), "qnn_top", data_dir=data))
    results = synthesize_many(jobs, workers=workers, cache_dir=cache_dir, progress=progress)
    parts = results[: len(modules) + 1]
    depths = timings_of(jobs, workers=workers, cache_dir=cache_dir)
    names = [*(op.name for op, _ in modules), "shell", "top"]
    clock_mhz = float(manifest["clock_mhz"])
    yosys = find_yosys()
    return {
        "tool": {"name": "yosys", "version": yosys.version, "origin": yosys.origin},
        "board": manifest["board"],
        "operators": [
            {
                **{"layer": op.layer, "operator": op.keyword, "name": op.name, "module": printed.module},
                **_facts(result),
                "depth": _depth(depth),
            }
            for (op, printed), result, depth in zip(modules, parts[:-1], depths[: len(modules)], strict=True)
        ],
        "shell": {**_facts(parts[-1]), "depth": _depth(depths[len(modules)])},
        "sum": _facts(sum(parts, Resources())),
        "top": {**_facts(results[-1]), "depth": _depth(depths[-1])} if whole_top else None,
        "budget": build.budget,
        "timing": {
            "label": LABEL,
            "clock_mhz": clock_mhz,
            "period_ns": 1000 / clock_mhz,
            "net_ps": NET_PS,
            "worst": _worst(names, depths),
        },
    }


def _depth(timing: Timing | None) -> dict[str, Any] | None:
    return None if timing is None else {**asdict(timing), "cells": list(timing.cells)}


def _worst(names: list[str], depths: list[Timing | None]) -> str | None:
    known = [(depth.estimate_ns, name) for name, depth in zip(names, depths, strict=False) if depth is not None]
    return max(known)[1] if known else None


def _facts(resources: Resources) -> dict[str, float]:
    return {**asdict(resources), "bram36_equivalent": resources.bram36_equivalent}
