# SPDX-License-Identifier: Apache-2.0
"""Streams as short as they are printed: the stages as processes that block, as Vitis HLS makes them, never stop.

Each stage of the generated C++ runs in a thread, each stream holds as many beats as its pragma says, and nothing else
holds any. A process that writes several streams in one cycle writes all of them or none.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from qnn_hw.backends.hls import Core, hls_files, make_core
from qnn_hw.folding import LayerFolding
from qnn_hw.ir import BIPOLAR
from qnn_hw.ir.ops.duplicate import Duplicate
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.simulation.csim import ap_types_dir
from tests.random_nets import Block, Conv, Net
from tests.test_elaborations import Elaboration, accelerator

FRAMES = 3
STOPPED = 3

STREAM = """\
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>

// All streams share one lock. The program stops when every process waits.
struct Region {
  std::mutex lock;
  std::condition_variable changed;
  unsigned processes = 0;
  unsigned waiting = 0;
  unsigned long changes = 0;
};
inline Region& region() {
  static Region shared;
  return shared;
}

namespace hls {
template <typename T>
class stream {
 public:
  explicit stream(const char*, std::size_t depth = 2) : depth_(depth) {}
  bool full() const { return held_.size() >= depth_; }
  bool empty() const {
    std::lock_guard<std::mutex> guard(region().lock);
    return held_.empty();
  }
  T read() {
    std::unique_lock<std::mutex> guard(region().lock);
    wait(guard, [this] { return !held_.empty(); });
    T value = held_.front();
    held_.pop_front();
    moved();
    return value;
  }
  void write(const T& value) {
    std::unique_lock<std::mutex> guard(region().lock);
    wait(guard, [this] { return !full(); });
    held_.push_back(value);
    moved();
  }
  static void write_together(const T& value, stream** outs, unsigned count) {
    std::unique_lock<std::mutex> guard(region().lock);
    wait(guard, [outs, count] {
      for (unsigned i = 0; i < count; ++i) {
        if (outs[i]->full()) return false;
      }
      return true;
    });
    for (unsigned i = 0; i < count; ++i) outs[i]->held_.push_back(value);
    moved();
  }

 private:
  static void moved() {
    ++region().changes;
    region().waiting = 0;
    region().changed.notify_all();
  }
  template <typename Condition>
  static void wait(std::unique_lock<std::mutex>& guard, Condition condition) {
    while (!condition()) {
      const unsigned long seen = region().changes;
      if (++region().waiting == region().processes) std::_Exit(3);
      region().changed.wait(guard, [seen] { return region().changes != seen; });
    }
  }
  std::deque<T> held_;
  std::size_t depth_;
};
}  // namespace hls
"""


def program(core: Core, depths: Mapping[str, int]) -> str:
    """Return a program that sends frames of zeros through the stages and ends when all results are there."""
    source, sink = next(iter(core.graph.inputs)), core.sources[core.graph.outputs[0]]
    kinds = {source: core.input, **{name: link.kind for name, link in core.links.items()}, sink: core.output}
    streams = {name: f"hls::stream<ap_uint<{kind.width_bits}>>" for name, kind in kinds.items()}
    lines = ['#include "qnn_core.hpp"', "#include <thread>", "#include <vector>", "int main() {"]
    lines += [f'  {kind} s_{name}("{name}", {depths.get(name, 2)});' for name, kind in streams.items()]
    lines += ["  std::vector<std::thread> all;", f"  region().processes = {len(core.stages) + 2};"]
    ended = "std::lock_guard<std::mutex> guard(region().lock); --region().processes;"
    ended += " if (region().waiting && region().waiting == region().processes) std::_Exit(3);"

    def process(beats: int, body: str) -> str:
        return f"  all.emplace_back([&] {{ for (unsigned i = 0; i < {FRAMES * beats}u; ++i) {{ {body} }} {ended} }});"

    lines.append(process(core.input.beats, f"s_{source}.write(0);"))
    for item in core.stages:
        ports = [f"s_{core.sources[name]}" for name in (*item.op.inputs, *item.op.outputs)]
        if isinstance(item.op, Duplicate):
            outs = ", ".join(f"&{port}" for port in ports[1:])
            kind = streams[core.sources[item.op.inputs[0]]]
            body = f"{kind}* outs[] = {{{outs}}}; {kind}::write_together({ports[0]}.read(), outs, {len(ports) - 1});"
            lines.append(process(core.graph.types[item.op.outputs[0]].beats, body))
        else:
            lines.append(process(1, f"stage_{item.op.name}({', '.join(ports)});"))
    lines.append(process(core.output.beats, f"s_{sink}.read();"))
    return "\n".join([*lines, "  for (std::thread& one : all) one.join();", "  return 0;", "}", ""])


def outcome(case: Elaboration, seed: int, folder: Path, *, of_the_rtl: bool = False) -> int:
    """Return the exit status of the program for `case`, with the printed depths or with those of the RTL's queues."""
    folded = accelerator(case, seed).folded
    core = make_core(folded)
    depths = {name: link.depth for name, link in core.links.items()}
    if of_the_rtl:
        queues = {core.sources[op.inputs[0]]: op.depth for op in core.graph.ops if isinstance(op, Fifo)}
        depths = {name: queues.get(name, 2) for name in core.links}
    files = {name: text for name, text in hls_files(folded).items() if "shims/" not in name}
    files |= {"include/hls_stream.h": STREAM, "program.cpp": program(core, depths)}
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    options = ["-std=c++14", "-O1", "-pthread", "-Iinclude", "-isystem", str(ap_types_dir()), "-Wno-unknown-pragmas"]
    made = subprocess.run(
        ["g++", *options, "program.cpp", "qnn_core.cpp", "-o", "program"], cwd=folder, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return subprocess.run(["./program"], cwd=folder, timeout=300).returncode


# The dense layer takes all its inputs before the first result; as many wait beside it for the sum.
DENSE = Elaboration(
    Net((8,), (), (16,), dense_block=True, classes=3, input_dtype=BIPOLAR, centred=False),
    folding=(
        ("fc0", LayerFolding(1, 8)),
        ("dense_block_fc", LayerFolding(4, 1)),
        ("head", LayerFolding(1, 1)),
    ),
)
# Nested, and with a convolution on the short path, whose line buffer takes words while its reader waits.
CONVOLUTIONS = Elaboration(
    Net(
        (6, 6, 4),
        (Conv(4, same=True),),
        blocks=(Block(4, ((3, 3), (2, 3)), inner=(Block(4),)), Block(6, strides=(2, 2))),
        classes=4,
        input_dtype=BIPOLAR,
        centred=False,
    ),
    50_000,
)


@pytest.mark.parametrize("case", [DENSE, CONVOLUTIONS], ids=["dense", "convolutions"])
def test_no_stage_waits_for_ever_with_the_printed_depths(case: Elaboration, tmp_path: Path) -> None:
    assert outcome(case, 1, tmp_path) == 0


def test_the_depths_of_the_rtl_would_not_do(tmp_path: Path) -> None:
    assert outcome(CONVOLUTIONS, 1, tmp_path, of_the_rtl=True) == STOPPED
