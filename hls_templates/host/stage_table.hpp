// SPDX-License-Identifier: Apache-2.0
//
// The stages of a generated core by name, for programs that run them one at a time: C simulation (csim.cpp) and the
// simulator's DPI library. `stages.cpp` beside this file, generated, holds the table.
//
// A port's frame is `beats` beats of ceil(width_bits / 32) words each, the word with the least significant bits first;
// bits above width_bits are 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace qnn {

// tensor:     name in graph.txt, of a renamed stream (queue, flatten) its producer's
// width_bits: of a beat
// beats:      of a frame
struct Port {
  const char* tensor;
  unsigned width_bits;
  unsigned beats;
};

// name: of the operator in graph.txt
// run:  computes one frame; in[i] and out[i] are frames of ports i
struct Stage {
  const char* name;
  unsigned n_inputs;
  unsigned n_outputs;
  const Port* inputs;
  const Port* outputs;
  void (*run)(const std::uint32_t* const* in, std::uint32_t* const* out);
};

// Every operator of the folded graph that is a function, in graph order.
extern const Stage stages[];
extern const unsigned n_stages;

// The whole core, qnn_hls_core, as one more stage.
extern const Stage core;

inline std::size_t words_of_beat(unsigned width_bits) { return (width_bits + 31) / 32; }

// Words of a frame on a port.
inline std::size_t words_of_frame(const Port& port) { return port.beats * words_of_beat(port.width_bits); }

}  // namespace qnn
