// SPDX-License-Identifier: Apache-2.0
//
// Stream width converter with an integer ratio, up or down.
//
//   up,   R = OutWidth / InWidth:  m[i] = {s[R*i+R-1], ..., s[R*i]}
//   down, R = InWidth / OutWidth:  m[i] = s[i / R][(i % R)*OutWidth +: OutWidth]
//
// Contract: order kept, the first element lies in the least significant bits. A call takes InBeats beats, one frame; an
// iteration is a beat of the narrow side. Going up, InBeats is a multiple of R: no word spans two frames.
//
// InWidth:  bits of an input beat, >= 1
// OutWidth: bits of an output beat, >= 1; a multiple or a divisor of InWidth
// InBeats:  input beats a frame, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

template <unsigned InWidth, unsigned OutWidth, unsigned InBeats>
void width_converter(hls::stream<ap_uint<InWidth> >& in, hls::stream<ap_uint<OutWidth> >& out) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(InWidth >= 1 && OutWidth >= 1, "qnn::width_converter: the widths have to be at least 1");
  static_assert(InWidth % OutWidth == 0 || OutWidth % InWidth == 0,
                "qnn::width_converter: InWidth and OutWidth have to have an integer ratio");
  static_assert(InBeats >= 1, "qnn::width_converter: InBeats has to be at least 1");
  static_assert(beat_fits(InWidth) && beat_fits(OutWidth),
                "qnn::width_converter: InWidth and OutWidth have to be at most AP_INT_MAX_W");
  constexpr unsigned gather = OutWidth > InWidth ? OutWidth / InWidth : 1;  // input beats an output beat
  constexpr unsigned spread = InWidth > OutWidth ? InWidth / OutWidth : 1;  // output beats an input beat
  constexpr unsigned width = OutWidth > InWidth ? OutWidth : InWidth;
  static_assert(InBeats % gather == 0, "qnn::width_converter: OutWidth/InWidth has to divide InBeats");

  ap_uint<width> word = 0;
  Counter<gather> gathered = 0;
  Counter<spread> spreaded = 0;
  // Invariant: the top `gathered` input beats of word (going up), or its low spread - spreaded output beats (going
  // down, none for spreaded = 0), are those that have come and not yet left.
  for (unsigned i = 0; i < InBeats * spread; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    if (gather > 1) {
      const ap_uint<width> beat = in.read();
      word = (word >> (InWidth % width)) | (beat << ((width - InWidth) % width));
    } else {
      word = spreaded == 0 ? ap_uint<width>(in.read()) : ap_uint<width>(word >> (OutWidth % width));
    }
    if (gathered == gather - 1) out.write(ap_uint<OutWidth>(word));
    gathered = next(gathered, gathered == gather - 1);
    spreaded = next(spreaded, spreaded == spread - 1);
  }
}

}  // namespace qnn
