// SPDX-License-Identifier: Apache-2.0
// The stages of the HLS C++ for a simulator: what qnn_hls_stage.sv imports through DPI.
//
// Each stage has one frame of room on every port. Before the first reset the simulator's registers hold random values;
// a beat beyond the frame is ignored when written and 0 when read.
#include <cstdint>
#include <cstring>
#include <vector>

#include "stage_table.hpp"

namespace {

struct Frames {
  std::vector<std::vector<std::uint32_t>> in, out;
  std::vector<const std::uint32_t*> in_pointers;
  std::vector<std::uint32_t*> out_pointers;
};

std::vector<Frames> make_frames() {
  std::vector<Frames> all(qnn::n_stages);
  for (unsigned s = 0; s < qnn::n_stages; s++) {
    const qnn::Stage& stage = qnn::stages[s];
    for (unsigned i = 0; i < stage.n_inputs; i++) all[s].in.emplace_back(qnn::words_of_frame(stage.inputs[i]));
    for (unsigned i = 0; i < stage.n_outputs; i++) all[s].out.emplace_back(qnn::words_of_frame(stage.outputs[i]));
    for (const auto& frame : all[s].in) all[s].in_pointers.push_back(frame.data());
    for (auto& frame : all[s].out) all[s].out_pointers.push_back(frame.data());
  }
  return all;
}

Frames& frames(int stage) {
  static std::vector<Frames> all = make_frames();
  return all[static_cast<unsigned>(stage)];
}

bool inside(const qnn::Port& port, int beat, int word) {
  return static_cast<unsigned>(beat) < port.beats && static_cast<unsigned>(word) < qnn::words_of_beat(port.width_bits);
}

std::size_t place(const qnn::Port& port, int beat, int word) {
  return static_cast<std::size_t>(beat) * qnn::words_of_beat(port.width_bits) + static_cast<std::size_t>(word);
}

}  // namespace

extern "C" {

int qnn_hls_open(const char* name) {
  for (unsigned s = 0; s < qnn::n_stages; s++)
    if (std::strcmp(qnn::stages[s].name, name) == 0) return static_cast<int>(s);
  return -1;
}

int qnn_hls_check(int stage, int is_output, int port, int width, int beats) {
  const qnn::Stage& entry = qnn::stages[stage];
  if (static_cast<unsigned>(port) >= (is_output ? entry.n_outputs : entry.n_inputs)) return 0;
  const qnn::Port& found = (is_output ? entry.outputs : entry.inputs)[port];
  return found.width_bits == static_cast<unsigned>(width) && found.beats == static_cast<unsigned>(beats);
}

void qnn_hls_put(int stage, int port, int beat, int word, std::uint32_t value) {
  const qnn::Port& entry = qnn::stages[stage].inputs[port];
  if (inside(entry, beat, word)) frames(stage).in[static_cast<unsigned>(port)][place(entry, beat, word)] = value;
}

std::uint32_t qnn_hls_get(int stage, int port, int beat, int word) {
  const qnn::Port& entry = qnn::stages[stage].outputs[port];
  return inside(entry, beat, word) ? frames(stage).out[static_cast<unsigned>(port)][place(entry, beat, word)] : 0;
}

void qnn_hls_run(int stage) {
  Frames& own = frames(stage);
  qnn::stages[stage].run(own.in_pointers.data(), own.out_pointers.data());
}

}  // extern "C"
