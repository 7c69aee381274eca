# SPDX-License-Identifier: Apache-2.0
"""Runs many operators of the HLS library in one program and compares their beats with those of a reference.

A `Case` is one parameterised operator, its tables, the input beats of some frames and the output beats expected. All
cases of a run stand in one generated C++ file, so that a whole table of them costs one compilation.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qnn_hw.backends.instance import instance
from qnn_hw.ir.datatype import TERNARY
from qnn_hw.ir.graph import Constants, Graph, Op, TensorType
from qnn_hw.simulation.csim import ap_types_dir

Integers = NDArray[np.int64]
REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATES = REPOSITORY / "hls_templates"
INCLUDES = (f"-I{TEMPLATES}", f"-I{TEMPLATES / 'shims'}")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unknown-pragmas")

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "affine": ("Lanes", "InWidth", "InSigned", "OutWidth", "Scale", "Offset", "Beats"),
    "classifier": ("PE", "Classes", "InWidth", "InSigned", "ScoreWidth", "SlopeWidth"),
    "classifier_ranks": ("Classes", "InWidth", "ScoreWidth"),
    "logits": ("PE", "InWidth", "InSigned", "Beats"),
    "mvu": (
        *("PE", "SIMD", "MatrixHeight", "MatrixWidth", "InKind", "InWidth", "InSigned", "AccWidth"),
        "Vectors",
    ),
    "pool": ("PE", "Channels", "ElemWidth", "Signed", "Positions", "Vectors"),
    "threshold": (
        *("PE", "Channels", "InWidth", "InSigned", "Steps", "ThresholdWidth", "OutWidth", "OutBase"),
        "Vectors",
    ),
    "width_converter": ("InWidth", "OutWidth", "InBeats"),
    "window": (
        *("Channels", "Lanes", "ElemWidth", "OutElemWidth", "MapHeight", "MapWidth", "KernelHeight", "KernelWidth"),
        *("StrideHeight", "StrideWidth", "PadTop", "PadBottom", "PadLeft", "PadRight", "Ternary", "PadCode", "Depth"),
    ),
}
"""Template parameters of each operator, in order, named as those of the RTL module."""


@dataclass(frozen=True, slots=True)
class Table:
    """A constant array of an operator: words of `width` bits, `words` in C order as codes that are not negative."""

    width: int
    dims: tuple[int, ...]
    words: tuple[int, ...]
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One operator under test; beats are integers, `lane_width` bits an element of the output."""

    name: str
    call: str
    """C++ of one call: streams `in` and `out`, tables `table0`, `table1`, ..."""
    width_in: int
    width_out: int
    lane_width: int
    frames_in: tuple[tuple[int, ...], ...]
    frames_out: tuple[tuple[int, ...], ...]
    tables: tuple[Table, ...] = field(default=())


def pack(codes: Integers, lanes: int, width: int) -> tuple[int, ...]:
    """All elements in C order, `lanes` a beat, element 0 in the least significant bits."""
    mask = (1 << width) - 1
    rows = codes.reshape(-1, lanes).tolist()
    return tuple(sum((code & mask) << (lane * width) for lane, code in enumerate(row)) for row in rows)


def random_values(rng: np.random.Generator, kind: TensorType, frames: int) -> Integers:
    """Uniform random values of a type, (frames, *shape); the first frame is its minimum, the second its maximum."""
    shape = (frames, *kind.shape)
    low, high = kind.dtype.minimum, kind.dtype.maximum
    if kind.dtype == TERNARY:
        low = -1  # as behind a zero-padded window: -2 does not occur
    values = rng.integers(low, high + 1, shape)
    if kind.dtype.bipolar:
        values = np.where(values == 0, 1, values)
    if frames > 2:
        values[0], values[1] = low, high
    return values.astype(np.int64)


def operator_case(op: Op, source: TensorType, constants: Constants, x: Integers) -> Case:
    """The case of one IR operator: parameters and tables as the RTL's, output beats from its `execute`."""
    graph = Graph("one", {op.inputs[0]: source}, (op,), op.outputs, constants)
    target = graph.types[op.outputs[0]]
    y = op.execute((x,), (source,), constants)
    found = instance(op, graph)
    values: dict[str, int | str] = {
        **found.parameters,
        "Vectors": target.pixels,
        "Beats": source.beats,
        "InBeats": source.beats,
    }
    function = found.module.removeprefix("qnn_")
    if function == "classifier" and values["ScoreKind"] == 1:
        function = "classifier_ranks"
    words = [int(word, 16) for table in found.tables.values() for word in table]
    tables = tuple(_tables(function, {k: int(v) for k, v in values.items() if isinstance(v, int)}, words))
    names = "".join(f", table{i}" for i in range(len(tables)))
    arguments = ", ".join(f"/*{name}*/ {values[name]}" for name in ARGUMENTS[function])
    return Case(
        function + "".join(f"-{name}{values[name]}" for name in ARGUMENTS[function]),
        f"qnn::{function}<{arguments}>(in, out{names});",
        source.width_bits,
        target.width_bits,
        target.dtype.bits,
        tuple(pack(source.dtype.codes(frame), source.lanes, source.dtype.bits) for frame in x),
        tuple(pack(target.dtype.codes(frame), target.lanes, target.dtype.bits) for frame in y),
        tables,
    )


def _tables(function: str, values: Mapping[str, int], words: Sequence[int]) -> Iterator[Table]:
    """Cut the words of the RTL's memory into the elements of the arrays."""

    def cut(start: int, width: int, step: int, count: int) -> tuple[int, ...]:
        return tuple(word >> (start + i * step) & ((1 << width) - 1) for word in words for i in range(count))

    match function:
        case "mvu":
            pe, simd = values["PE"], values["SIMD"]
            yield Table(simd, (len(words), pe), cut(0, simd, simd, pe))
        case "threshold":
            pe, steps, width = values["PE"], values["Steps"], values["ThresholdWidth"]
            yield Table(width, (len(words), pe, steps), cut(0, width, width, pe * steps))
        case "pool":
            yield Table(values["PE"], (len(words),), cut(0, values["PE"], 0, 1))
        case "classifier":
            pe, slope, score = values["PE"], values["SlopeWidth"], values["ScoreWidth"]
            yield Table(slope, (len(words), pe), cut(0, slope, slope + score, pe), signed=True)
            yield Table(score, (len(words), pe), cut(slope, score, slope + score, pe), signed=True)
        case "classifier_ranks":
            yield Table(values["ScoreWidth"], (len(words),), tuple(words))


_PROLOGUE = """
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "affine.hpp"
#include "classifier.hpp"
#include "logits.hpp"
#include "mvu.hpp"
#include "pool.hpp"
#include "threshold.hpp"
#include "width_converter.hpp"
#include "window.hpp"

static std::FILE* stimulus;
static std::FILE* response;

// Words of 32 bits, the lowest first; no code shared with the library.
template <typename Word>
void load(Word& word) {
  word = 0;
  for (int low = 0; low < Word::width; low += 32) {
    std::uint32_t bits = 0;
    if (std::fread(&bits, sizeof bits, 1, stimulus) != 1) std::exit(3);
    const int high = low + 31 < Word::width ? low + 31 : Word::width - 1;
    word.range(high, low) = bits;
  }
}
template <typename Word, std::size_t Size>
void load(Word (&words)[Size]) {
  for (Word& word : words) load(word);
}
template <typename Word>
void save(const Word& word) {
  for (int low = 0; low < Word::width; low += 32) {
    const int high = low + 31 < Word::width ? low + 31 : Word::width - 1;
    const std::uint32_t bits = ap_uint<32>(word.range(high, low));
    std::fwrite(&bits, sizeof bits, 1, response);
  }
}
// For each frame: beats out, and after the last one the beats that were left.
template <typename Stream>
void report(Stream& stream) {
  const std::uint32_t size = stream.size();
  std::fwrite(&size, sizeof size, 1, response);
}
"""


def program(cases: Sequence[Case]) -> str:
    """C++ that reads stimulus and tables, calls each operator once a frame, and writes what it delivered.

    All frames lie in the input stream before the first call: a call that takes more than its own is seen.
    """
    text = [_PROLOGUE]
    for i, case in enumerate(cases):
        tables = "".join(
            f"  static ap_{'' if t.signed else 'u'}int<{t.width}> table{k}{''.join(f'[{d}]' for d in t.dims)};\n"
            f"  load(table{k});\n"
            for k, t in enumerate(case.tables)
        )
        text.append(f"""
// {case.name}
static void case_{i}() {{
{tables}  hls::stream<ap_uint<{case.width_in}> > in("case_{i}.in");
  hls::stream<ap_uint<{case.width_out}> > out("case_{i}.out");
  for (unsigned i = 0; i < {sum(map(len, case.frames_in))}; ++i) {{
    ap_uint<{case.width_in}> beat;
    load(beat);
    in.write(beat);
  }}
  for (unsigned frame = 0; frame < {len(case.frames_in)}; ++frame) {{
    {case.call}
    report(out);
    while (!out.empty()) save(out.read());
  }}
  report(in);
}}
""")
    calls = "".join(f"  case_{i}();\n" for i in range(len(cases)))
    text.append(f"""
int main(int, char** arguments) {{
  stimulus = std::fopen(arguments[1], "rb");
  response = std::fopen(arguments[2], "wb");
  if (stimulus == nullptr || response == nullptr) return 2;
{calls}  return std::fclose(response);
}}
""")
    return "".join(text)


def _words(values: Sequence[int], width: int) -> bytes:
    size = 4 * -(-width // 32)
    return b"".join((value & ((1 << width) - 1)).to_bytes(size, "little") for value in values)


def compile_cpp(source: Path, *options: str, compiler: Sequence[str] = ("g++",)) -> Path:
    """Compile one file against the library; a test fails with the compiler's first error."""
    binary = source.with_suffix("")
    command = [*compiler, "-std=c++14", *options, *INCLUDES, "-isystem", str(ap_types_dir()), str(source)]
    done = subprocess.run([*command, "-o", str(binary)], capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert done.returncode == 0, f"{' '.join(command)}\n" + "\n".join(errors[:5] or done.stderr.splitlines()[-5:])
    return binary


def run(cases: Sequence[Case], binary: Path) -> dict[str, str]:
    """Run a compiled program of these cases; name -> what went wrong, nothing for those that agree."""
    stimulus = b"".join(
        b"".join(_words(t.words, t.width) for t in case.tables)
        + b"".join(_words(frame, case.width_in) for frame in case.frames_in)
        for case in cases
    )
    source, target = binary.with_suffix(".in"), binary.with_suffix(".out")
    source.write_bytes(stimulus)
    done = subprocess.run([str(binary), str(source), str(target)], capture_output=True, text=True)
    if done.returncode:
        return {"program": f"ended with {done.returncode}: {done.stderr.strip()}"}
    data = target.read_bytes()
    position = 0

    def take(size: int) -> bytes:
        nonlocal position
        position += size
        return data[position - size : position]

    wrong: dict[str, str] = {}
    for case in cases:
        size = 4 * -(-case.width_out // 32)
        for f, expected in enumerate(case.frames_out):
            count = int.from_bytes(take(4), "little")
            found = [int.from_bytes(take(size), "little") for _ in range(count)]
            difference = _difference(case, found, expected)
            if difference:
                wrong.setdefault(case.name, f"frame {f}: {difference}")
        left = int.from_bytes(take(4), "little")
        if left:
            wrong.setdefault(case.name, f"{left} input beats were not read")
    return wrong


def _difference(case: Case, found: Sequence[int], expected: Sequence[int]) -> str:
    for beat, (a, b) in enumerate(zip(found, expected, strict=False)):
        if a != b:
            lane = ((a ^ b) & -(a ^ b)).bit_length() - 1
            lane //= case.lane_width
            mask = (1 << case.lane_width) - 1
            shift = lane * case.lane_width
            return f"beat {beat}, lane {lane}: expected {b >> shift & mask:#x}, got {a >> shift & mask:#x}"
    return "" if len(found) == len(expected) else f"{len(found)} beats, expected {len(expected)}"
