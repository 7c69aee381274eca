# SPDX-License-Identifier: Apache-2.0
"""The bridge's C++ headers: both bodies of the popcount, and the language that hls4ml's scripts compile with."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from qnn_hw.hls4ml_bridge.templates import headers

_POPCOUNT = """
#include "nnet_qnn_popcount.h"
#include <cstdio>
int main() {
  // All words of up to two ones, their complements, and a walk through pseudo-random ones.
  unsigned word = 1;
  for (unsigned n = 0; n < 20000; n++) {
    const unsigned pair = (n < 1024) ? (1u << (n % 32)) | (1u << (n / 32)) : word;
    const unsigned words[2] = {pair, ~pair};
    for (unsigned i = 0; i < 2; i++) {
      if (nnet::qnn_popcount(words[i]) != unsigned(__builtin_popcount(words[i]))) {
        std::printf("%08x: %u\\n", words[i], nnet::qnn_popcount(words[i]));
        return 1;
      }
    }
    word = word * 1664525u + 1013904223u;
  }
  const unsigned none = nnet::qnn_popcount(0u), all = nnet::qnn_popcount(~0u);
  return none == 0 && all == 32 ? 0 : 1;
}
"""


def _ap_types() -> Path:
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "templates" / "vivado" / "ap_types"


def _compile(source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Wno-unknown-pragmas", *options]
    folders = [f"-I{headers()[0].parent}", "-isystem", str(_ap_types())]
    return subprocess.run([*command, *folders, str(source)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("body", ["-DQNN_STRUCTURAL", "-UQNN_STRUCTURAL"], ids=["structural", "fast"])
def test_popcount_bodies_count_ones(body: str, tmp_path: Path) -> None:
    source = tmp_path / "popcount.cpp"
    source.write_text(_POPCOUNT)
    built = _compile(source, body, "-O1", "-o", str(tmp_path / "popcount"))
    assert built.returncode == 0, built.stderr
    run = subprocess.run([tmp_path / "popcount"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, f"first wrong word: {run.stdout}"


def test_headers_are_plain_cpp11_without_warnings(tmp_path: Path) -> None:
    """hls4ml gives -std=c++0x to the synthesiser and -std=c++11 to g++ for VivadoAccelerator."""
    source = tmp_path / "all.cpp"
    source.write_text("".join(f'#include "{header.name}"\n' for header in headers()))
    built = _compile(source, "-fsyntax-only")
    assert built.returncode == 0 and not built.stderr, built.stderr
