// SPDX-License-Identifier: Apache-2.0
//
// One stream for several readers.
//
//   m_k[i] = s[i] for every output k
//
// Contract: order kept; a call takes Beats beats, one frame, and gives as many on every output, an iteration each. An
// iteration ends when every output has its beat; beats that an output takes ahead of the others need depth in its stream.
//
// Width:   bits of a beat, >= 1
// Outputs: readers, >= 2; as many streams are handed over behind the input
// Beats:   beats a frame, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

template <int W>
inline void write_each(const ap_uint<W>& beat, hls::stream<ap_uint<W> >& out) {
#pragma HLS inline  // wires
  out.write(beat);
}

template <int W, typename... Streams>
inline void write_each(const ap_uint<W>& beat, hls::stream<ap_uint<W> >& out, Streams&... others) {
#pragma HLS inline  // wires
  out.write(beat);
  write_each(beat, others...);
}

template <unsigned Width, unsigned Outputs, unsigned Beats, typename... Streams>
void duplicate(hls::stream<ap_uint<Width> >& in, Streams&... outs) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(Width >= 1, "qnn::duplicate: Width has to be at least 1");
  static_assert(Outputs >= 2, "qnn::duplicate: Outputs has to be at least 2");
  static_assert(sizeof...(Streams) == Outputs, "qnn::duplicate: there have to be Outputs streams behind the input");
  static_assert(Beats >= 1, "qnn::duplicate: Beats has to be at least 1");
  static_assert(beat_fits(Width), "qnn::duplicate: Width has to be at most AP_INT_MAX_W");

  for (unsigned i = 0; i < Beats; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<Width> beat = in.read();
    write_each(beat, outs...);
  }
}

}  // namespace qnn
