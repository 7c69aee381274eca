// SPDX-License-Identifier: Apache-2.0
//
// Extends each accumulator to a 32-bit word, for builds whose output is the logits.
//
//   y = x as int32
//
// Contract: order kept; a call takes Beats beats, one frame, and gives as many, an iteration each. A width converter
// behind it makes one-word beats.
//
// PE:       elements a beat, >= 1
// InWidth:  bits of an input element, 1..32
// InSigned: 1 = sign extension, 0 = zero extension
// Beats:    beats a frame, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

template <unsigned PE, unsigned InWidth, unsigned InSigned, unsigned Beats>
void logits(hls::stream<ap_uint<PE * InWidth> >& in, hls::stream<ap_uint<PE * 32> >& out) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(PE >= 1, "qnn::logits: PE has to be at least 1");
  static_assert(InWidth >= 1 && InWidth <= 32, "qnn::logits: InWidth has to be in 1..32");
  static_assert(Beats >= 1, "qnn::logits: Beats has to be at least 1");
  static_assert(beat_fits(PE * 32), "qnn::logits: PE*32 has to be at most AP_INT_MAX_W");

  for (unsigned i = 0; i < Beats; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<PE * InWidth> x = in.read();
    ap_uint<PE * 32> y = 0;
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS unroll  // wires
      place<32>(y, p, number<InWidth, InSigned>(x, p));
    }
    out.write(y);
  }
}

}  // namespace qnn
