# SPDX-License-Identifier: Apache-2.0
"""The shims, and what every header has to stand: warnings, a second compiler, the formatter, illegal parameters."""

import subprocess
import sys
from pathlib import Path

import pytest

from qnn_hw.simulation.csim import ap_types_dir
from tests.hls.operator_bench import INCLUDES, TEMPLATES, WARNINGS, compile_cpp

HEADERS = sorted(path.name for path in TEMPLATES.glob("*.hpp"))
FORMATTED = sorted(path for pattern in ("*.hpp", "shims/*.h") for path in TEMPLATES.glob(pattern))

STREAMS = """
#include <hls_stream.h>

#include <cstdio>

#define CHECK(condition) if (!(condition)) return std::printf("%s\\n", #condition), 1

static void fill(hls::stream<int>& out, int count) {
  for (int i = 0; i < count; ++i) out << i;
}

int main(int argc, char**) {
  hls::stream<int> plain;
  hls::stream<int, 4> deep("deep");
  CHECK(plain.empty() && plain.size() == 0 && !plain.full());
  int value = -1;
  CHECK(!plain.read_nb(value) && value == -1);
  fill(plain, 3);
  fill(deep, 100);  // a depth does not limit it
  CHECK(plain.size() == 3 && plain.read() == 0);
  plain.read(value);
  CHECK(value == 1);
  CHECK(plain.write_nb(7) && plain.size() == 2);
  plain >> value;
  CHECK(value == 2 && plain.read_nb(value) && value == 7 && plain.empty());
  for (int i = 0; i < 100; ++i) CHECK(deep.size() == 100u - i && deep.read() == i);
  for (int round = 0; round < 3; ++round) {
    fill(deep, 2);
    CHECK(deep.read() == 0 && deep.read() == 1 && deep.empty());
  }
  return argc > 1 ? deep.read() : 0;
}
"""

SHORT_FRAME = """
#include "window.hpp"

int main() {
  hls::stream<ap_uint<2> > in("map");
  hls::stream<ap_uint<2> > out("windows");
  for (int i = 0; i < 11; ++i) in.write(i);
  qnn::window<2, 2, 1, 1, 4, 3, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 5>(in, out);
}
"""

ILLEGAL = {
    "mvu<2, 3, 5, 9, 0, 1, 0, 4, 1>(s<3>(), s<8>(), t<ap_uint<3>, 7, 2>())": "PE has to divide MatrixHeight",
    "mvu<2, 4, 4, 9, 0, 1, 0, 4, 1>(s<4>(), s<8>(), t<ap_uint<4>, 4, 2>())": "SIMD has to divide MatrixWidth",
    "mvu<2, 3, 4, 9, 0, 1, 0, 3, 1>(s<3>(), s<6>(), t<ap_uint<3>, 6, 2>())": "AccWidth has to hold MatrixWidth",
    "mvu<2, 3, 4, 9, 1, 2, 0, 4, 1>(s<6>(), s<8>(), t<ap_uint<3>, 6, 2>())": "AccWidth has to hold 2*MatrixWidth",
    "mvu<2, 3, 4, 9, 0, 2, 0, 4, 1>(s<6>(), s<8>(), t<ap_uint<3>, 6, 2>())": "InWidth has to be 1 for InKind 0",
    "mvu<64, 3, 64, 3, 2, 32, 0, 64, 1>(s<96>(), s<4096>(), t<ap_uint<3>, 1, 64>())": "",
    "mvu<65, 3, 65, 3, 2, 32, 0, 64, 1>(s<96>(), s<4160>(), t<ap_uint<3>, 1, 65>())": "at most AP_INT_MAX_W",
    "pool<2, 5, 1, 0, 4, 1>(s<2>(), s<2>(), t<ap_uint<2>, 2>())": "qnn::pool: PE has to divide Channels",
    "threshold<2, 5, 4, 0, 1, 4, 1, 0, 1>(s<8>(), s<2>(), t<ap_uint<4>, 2, 2, 1>())": (
        "qnn::threshold: PE has to divide Channels"
    ),
    "threshold<1, 1, 4, 0, 2, 4, 1, 0, 1>(s<4>(), s<1>(), t<ap_uint<4>, 1, 1, 2>())": "have to fit OutWidth bits",
    "classifier<3, 10, 4, 0, 8, 2>(s<12>(), s<32>(), t<ap_int<2>, 3, 3>(), t<ap_int<8>, 3, 3>())": (
        "qnn::classifier: PE has to divide Classes"
    ),
    "classifier_ranks<1, 25, 4>(s<25>(), s<32>(), t<ap_uint<4>, 33554432>())": "InWidth has to be in 1..24",
    "logits<1, 33, 0, 1>(s<33>(), s<32>())": "qnn::logits: InWidth has to be in 1..32",
    "affine<1, 8, 0, 8, 2, 0, 1>(s<8>(), s<8>())": "qnn::affine: Scale*x + Offset has to fit OutWidth bits",
    "width_converter<8, 12, 6>(s<8>(), s<12>())": "have to have an integer ratio",
    "width_converter<8, 24, 4>(s<8>(), s<24>())": "OutWidth/InWidth has to divide InBeats",
    "window<3, 2, 1, 1, 4, 4, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 9>(s<2>(), s<2>())": "Lanes has to divide Channels",
    "window<2, 2, 1, 1, 4, 4, 2, 2, 1, 1, 2, 0, 0, 0, 0, 0, 9>(s<2>(), s<2>())": "have to be below KernelHeight",
    "window<2, 2, 1, 1, 4, 4, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 5>(s<2>(), s<2>())": "Depth has to hold the words",
    "window<2, 2, 2, 2, 4, 4, 2, 2, 1, 1, 0, 0, 0, 0, 1, 0, 9>(s<4>(), s<4>())": "Ternary needs ElemWidth=1",
}
"""Calls of operators with one illegal parameter each and the rule the compiler has to state; "" = legal."""


def ended(binary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary), *arguments], capture_output=True, text=True)


def check(source: Path, *options: str, compiler: tuple[str, ...] = ("g++",)) -> subprocess.CompletedProcess[str]:
    command = [*compiler, "-std=c++14", *options, *INCLUDES, "-isystem", str(ap_types_dir())]
    return subprocess.run(
        [*command, "-c", str(source), "-o", str(source.with_suffix(".o"))], capture_output=True, text=True
    )


def libstdcxx() -> list[str]:
    """g++'s own library headers: ap_int.h declares std::complex itself, which libc++ keeps in an inner namespace."""
    found = subprocess.run(["g++", "-E", "-x", "c++", "-v", "/dev/null"], capture_output=True, text=True).stderr
    folders = [line.strip() for line in found.splitlines() if line.startswith(" ") and "/c++/" in line]
    return ["-nostdinc++", *(f"-I{folder}" for folder in folders if Path(folder).is_dir())]


def test_stream(tmp_path: Path) -> None:
    source = tmp_path / "streams.cpp"
    source.write_text(STREAMS)
    binary = compile_cpp(source, *WARNINGS)
    done = ended(binary)
    assert done.returncode == 0, f"failed: {done.stdout}"
    empty = ended(binary, "read-empty")
    assert empty.returncode < 0 and "hls::stream deep: read while empty" in empty.stderr, empty


def test_frame_that_is_too_short_names_the_stream(tmp_path: Path) -> None:
    source = tmp_path / "short.cpp"
    source.write_text(SHORT_FRAME)
    done = ended(compile_cpp(source))
    assert done.returncode < 0 and "hls::stream map: read while empty" in done.stderr, done


@pytest.mark.parametrize("body", ["fast", "structural"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_headers_compile_without_warnings(compiler: str, body: str, tmp_path: Path) -> None:
    """All headers in one file, each operator with legal parameters; no other flag than that for unknown pragmas."""
    source = tmp_path / "all.cpp"
    legal = (
        "mvu<2, 3, 4, 9, 0, 1, 0, 4, 1>(s<3>(), s<8>(), t<ap_uint<3>, 6, 2>())",
        "mvu<2, 3, 4, 9, 1, 2, 1, 5, 1>(s<6>(), s<10>(), t<ap_uint<3>, 6, 2>())",
        "mvu<2, 3, 4, 9, 2, 8, 0, 13, 1>(s<24>(), s<26>(), t<ap_uint<3>, 6, 2>())",
        "pool<2, 6, 1, 0, 4, 1>(s<2>(), s<2>(), t<ap_uint<2>, 3>())",
        "threshold<2, 4, 4, 1, 3, 5, 2, -2, 1>(s<8>(), s<4>(), t<ap_uint<5>, 2, 2, 3>())",
        "classifier<5, 10, 4, 0, 8, 2>(s<20>(), s<32>(), t<ap_int<2>, 2, 5>(), t<ap_int<8>, 2, 5>())",
        "classifier_ranks<3, 4, 4>(s<4>(), s<32>(), t<ap_uint<4>, 48>())",
        "logits<2, 9, 1, 4>(s<18>(), s<64>())",
        "affine<3, 8, 0, 9, 2, -255, 4>(s<24>(), s<27>())",
        "width_converter<24, 72, 6>(s<24>(), s<72>())",
        "width_converter<72, 24, 6>(s<72>(), s<24>())",
        "width_converter<8, 8, 6>(s<8>(), s<8>())",
        "window<2, 2, 1, 2, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 0, 13>(s<2>(), s<4>())",
        "window<2, 1, 4, 4, 5, 6, 2, 3, 1, 2, 0, 0, 0, 0, 0, 0, 18>(s<4>(), s<4>())",
    )
    source.write_text(calls(legal))
    structural = ("-DQNN_STRUCTURAL",) if body == "structural" else ()
    if compiler == "clang++":
        pytest.importorskip("ziglang")
        done = check(source, *WARNINGS, *structural, *libstdcxx(), compiler=(sys.executable, "-m", "ziglang", "c++"))
    else:
        done = check(source, *WARNINGS, *structural)
    errors = [line for line in done.stderr.splitlines() if "error" in line or "warning" in line]
    assert done.returncode == 0 and not errors, "\n".join(errors[:10] or done.stderr.splitlines()[-5:])


def test_illegal_parameters_are_compile_errors(tmp_path: Path) -> None:
    source = tmp_path / "illegal.cpp"
    source.write_text(calls(tuple(ILLEGAL)))
    done = check(source, "-Wno-unknown-pragmas", "-fmax-errors=0")
    said = [line for line in done.stderr.splitlines() if "static assertion failed" in line]
    missing = [f"{call}: {rule}" for call, rule in ILLEGAL.items() if rule and not any(rule in line for line in said)]
    assert not missing, "no compile error says:\n" + "\n".join(missing)
    assert not [line for line in said if not any(rule and rule in line for rule in ILLEGAL.values())], said


@pytest.mark.parametrize("path", FORMATTED, ids=lambda path: path.name)
def test_clang_format(path: Path) -> None:
    program = Path(sys.executable).with_name("clang-format")
    if not program.is_file():
        pytest.skip("clang-format is not installed beside this Python")
    done = subprocess.run([str(program), "--dry-run", "-Werror", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr.splitlines()[0]


def calls(expressions: tuple[str, ...]) -> str:
    """A file that includes every header and calls operators; `s<W>()` is a stream, `t<T, dims>()` a table."""
    includes = "".join(f'#include "{name}"\n' for name in HEADERS)
    body = "".join(f"  qnn::{expression};\n" for expression in expressions)
    return f"""{includes}
template <typename T, unsigned First, unsigned... Rest>
struct Table {{
  using Type = typename Table<T, Rest...>::Type[First];
}};
template <typename T, unsigned First>
struct Table<T, First> {{
  using Type = T[First];
}};
template <unsigned Width>
hls::stream<ap_uint<Width> >& s() {{
  static hls::stream<ap_uint<Width> > stream("stream");
  return stream;
}}
template <typename T, unsigned... Dims>
const typename Table<T, Dims...>::Type& t() {{
  static const typename Table<T, Dims...>::Type table = {{}};
  return table;
}}

void all();
void all() {{
{body}}}
"""
