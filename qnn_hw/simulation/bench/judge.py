# SPDX-License-Identifier: Apache-2.0
"""Reads what the testbench wrote and says what is wrong: the first cause first, in the terms of the network.

Of several differing streams the one earliest in the pipeline is named, with frame, row, column, channel, expected and
got; those behind it are consequences and only listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .manifest import Dtype, Manifest, Stream
from .vectors import unpack_beat

INPUT_NAME = "outside input"
OUTPUT_NAME = "outside output"


def read_runs(path: Path) -> dict[int, Run]:
    """Return run number -> what the event file `path` says of it; see `qnn_tb_control.sv` for the format."""
    runs: dict[int, Run] = {}
    current = Run()
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        values = dict(part.split("=", 1) for part in rest.split())
        match kind:
            case "frame":
                if int(values["index"]) == 0:
                    current.frame_cycles.clear()
                current.frame_cycles.append(int(values["cycle"]))
            case "source":
                current.source.update(values)
            case "sink":
                current.sink.update(values)
            case "stream":
                current.streams[values["name"]] = values
            case "run":
                current.run.update(values)
                runs[int(values["id"])] = current
                current = Run()
    return runs


def judge_run(run: Run, manifest: Manifest, n_frames: int, n_golden: int) -> list[Finding]:
    """Return what is wrong with `run`, which had to move `n_frames` frames (golden ones 0 .. `n_golden` - 1 repeat)."""
    findings = _protocol(run, manifest)
    findings += _values(run, manifest, n_golden)
    if run.hung:
        findings.append(_stuck(run, manifest, n_frames))
    else:
        findings += _counts(run, manifest, n_frames)
    sink = {key: int(value) for key, value in run.sink.items()}
    if sink["tlast_errors"]:
        findings.append(
            Finding(
                kind="tlast",
                stream=OUTPUT_NAME,
                frame=sink["first_tlast_error"],
                text=f"outside output: TLAST is wrong on {sink['tlast_errors']} beats, first in frame"
                f" {sink['first_tlast_error']}: it must come with the last beat of a transfer's last frame only",
            )
        )
    if sink["keep_errors"]:
        text = f"outside output: TKEEP is not all ones on {sink['keep_errors']} beats"
        findings.append(Finding(kind="tkeep", stream=OUTPUT_NAME, text=text))
    if sink["unstable"]:
        text = f"outside output: TLAST changed {sink['unstable']} times while TVALID waited for TREADY"
        findings.append(Finding(kind="protocol", stream=OUTPUT_NAME, text=text))
    return findings


def locate(stream: Stream, beat: int, got: str, want: str) -> Difference:
    """Return where beat number `beat` differs; `got` and `want` are its hexadecimal digits."""
    frame, beat_of_frame = divmod(beat, stream.beats_per_frame)
    got_elements = unpack_beat(got, stream.dtype, stream.elements_per_beat)
    want_elements = unpack_beat(want, stream.dtype, stream.elements_per_beat)
    lane = next((i for i, pair in enumerate(zip(got_elements, want_elements, strict=True)) if pair[0] != pair[1]), 0)
    element = beat_of_frame * stream.elements_per_beat + lane
    if element >= stream.n_elements:
        coordinates: tuple[int, ...] = ()
    else:
        coordinates = tuple(int(i) for i in np.unravel_index(element, stream.shape))
    return Difference(frame, beat_of_frame, lane, coordinates, want_elements[lane], got_elements[lane])


def _values(run: Run, manifest: Manifest, n_golden: int) -> list[Finding]:
    words_per_beat = manifest.dma_width_bits // 32
    result = Stream(
        name=manifest.result.name,
        shape=manifest.result.shape,
        dtype=Dtype(bits=32, signed=manifest.result.dtype.signed, bipolar=False),
        elements_per_beat=words_per_beat,
        path="",
    )
    watched = [(stream.name, stream.name, stream) for stream in manifest.streams]
    watched.append(("_result", OUTPUT_NAME, result))
    differing = []
    for key, name, stream in watched:
        seen = run.streams.get(key)
        if seen is not None and int(seen["mismatches"]):
            differing.append((name, stream, seen))
    if not differing:
        return []
    name, stream, seen = differing[0]
    place = locate(stream, int(seen["first"]), seen["got"], seen["want"])
    named = {1: ["channel"], 3: ["row", "column", "channel"]}
    axes = named.get(len(place.coordinates), [f"axis {i}" for i in range(len(place.coordinates))])
    where = ", ".join(f"{axis} {value}" for axis, value in zip(axes, place.coordinates, strict=True)) or "the padding"
    behind = ", ".join(other for other, _, _ in differing[1:])
    text = (
        f"stream {name}: frame {place.frame} (golden frame {place.frame % n_golden}), {where}: expected {place.want},"
        f" got {place.got} ({stream.dtype}; beat {place.beat}, lane {place.lane});"
        f" {seen['mismatches']} of {seen['beats']} beats differ"
    )
    if behind:
        text += f"; behind it differ, too: {behind}"
    return [
        Finding(
            kind="value",
            stream=name,
            frame=place.frame,
            coordinates=place.coordinates,
            want=place.want,
            got=place.got,
            text=text,
        )
    ]


def _protocol(run: Run, manifest: Manifest) -> list[Finding]:
    findings = []
    for key in [*(stream.name for stream in manifest.streams), "_result"]:
        seen = run.streams.get(key)
        if seen is None:
            continue
        name = OUTPUT_NAME if key == "_result" else key
        problems = []
        if int(seen["dropped"]):
            problems.append(f"TVALID was taken back {seen['dropped']} times before TREADY")
        if int(seen["unstable"]):
            problems.append(f"TDATA changed {seen['unstable']} times while TVALID waited for TREADY")
        if problems:
            text = f"stream {name}: {' and '.join(problems)}, first at beat {seen['violation']}"
            findings.append(Finding(kind="protocol", stream=name, text=text))
    return findings


def _counts(run: Run, manifest: Manifest, n_frames: int) -> list[Finding]:
    expected = {stream.name: n_frames * stream.beats_per_frame for stream in manifest.streams}
    expected["_result"] = n_frames * manifest.frame_beats_out
    for key, n_beats in expected.items():
        seen = run.streams.get(key)
        if seen is not None and int(seen["beats"]) != n_beats:
            name = OUTPUT_NAME if key == "_result" else key
            text = f"stream {name}: {seen['beats']} beats for {n_frames} frames, expected {n_beats}"
            return [Finding(kind="count", stream=name, text=text)]
    return []


def _stuck(run: Run, manifest: Manifest, n_frames: int) -> Finding:
    stages = [(INPUT_NAME, run.source, n_frames * manifest.frame_beats_in)]
    stages += [
        (stream.name, run.streams[stream.name], n_frames * stream.beats_per_frame)
        for stream in manifest.streams
        if stream.name in run.streams
    ]
    stages.append((OUTPUT_NAME, run.streams["_result"], n_frames * manifest.frame_beats_out))
    lines = [
        f"{name} {seen['beats']}/{n_beats} beats, TVALID={seen['valid']} TREADY={seen['ready']}"
        for name, seen, n_beats in stages
    ]
    blocked = [i for i, (_, seen, _) in enumerate(stages) if seen["valid"] == "1" and seen["ready"] == "0"]
    short = [i for i, (_, seen, n_beats) in enumerate(stages) if int(seen["beats"]) < n_beats]
    if blocked:
        last = blocked[-1]
        name = stages[last][0]
        text = f"stream {name} is stuck: it offers beat {stages[last][1]['beats']} and nobody takes it"
        if last + 1 < len(stages):
            text += f"; stream {stages[last + 1][0]} behind it delivers nothing"
    elif short:
        name = stages[short[0]][0]
        before = f" though all of {stages[short[0] - 1][0]} went in" if short[0] else ""
        text = f"stream {name} is stuck: it delivered {stages[short[0]][1]['beats']} of {stages[short[0]][2]} beats"
        text += f" and offers none{before}"
    else:
        name = OUTPUT_NAME
        text = "the streams keep moving after the last frame: some stream delivers more beats than it should"
    text = f"no progress for {run.run['quiet']} cycles, ended at cycle {run.run['cycles']}: {text}"
    return Finding(kind="stuck", stream=name, text=f"{text} [{'; '.join(lines)}]")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first differing element of a beat: frame, beat and lane, coordinates in the frame, both values."""

    frame: int
    beat: int
    lane: int
    coordinates: tuple[int, ...]
    want: int
    got: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    `kind` is "value", "protocol", "stuck", "count", "tlast", "tkeep", "register" or "measure"; `coordinates`
    are indices into a frame, `want` and `got` integer codes, where they apply.
    """

    kind: str
    stream: str
    text: str
    frame: int | None = None
    coordinates: tuple[int, ...] | None = None
    want: int | None = None
    got: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the finding for JSON."""
        return asdict(self)


@dataclass(slots=True)
class Run:
    """The facts of one run, as texts: of source, sink, each stream by name, the run itself; cycles of frame ends."""

    run: dict[str, str] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    sink: dict[str, str] = field(default_factory=dict)
    streams: dict[str, dict[str, str]] = field(default_factory=dict)
    frame_cycles: list[int] = field(default_factory=list)

    @property
    def hung(self) -> bool:
        """Whether the watchdog ended the run."""
        return self.run["hung"] == "1"


def measured(run: Run) -> Mapping[str, int | None]:
    """Return cycles of the run: of the first frame (first input beat to last output beat), between the last frames."""
    cycles: Sequence[int] = run.frame_cycles
    return {
        "first_latency_cycles": cycles[0] - int(run.source["first"]) if cycles else None,
        "interval_cycles": cycles[-1] - cycles[-2] if len(cycles) > 1 else None,
    }
