// SPDX-License-Identifier: Apache-2.0
//
// Pooling over a window stream: maximum per channel, complemented where the channel's mask bit is set.
//
//   y[channel] = max over positions of x[position][channel],  bitwise complemented if complement[channel]
//
// Complementing a channel's codes before and after the maximum makes it a minimum.
//
// Contract: in: for each output pixel Positions x CF beats, position-major, CF = Channels/PE; out: CF beats a pixel. A
// call takes Vectors output pixels, one frame: Vectors*Positions*CF beats in, an iteration each, Vectors*CF beats out.
//
// complement[cf]: bit p is the mask of channel cf*PE+p; all zero: no channel is complemented.
//
// PE:        channels a beat, divides Channels
// Channels:  channels of a pixel, >= 1
// ElemWidth: bits of an element, 1..32
// Signed:    1 = elements are two's complement, 0 = unsigned
// Positions: elements a maximum is taken over, >= 1
// Vectors:   output pixels a frame, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

template <unsigned PE, unsigned Channels, unsigned ElemWidth, unsigned Signed, unsigned Positions, unsigned Vectors>
void pool(hls::stream<ap_uint<PE * ElemWidth> >& in, hls::stream<ap_uint<PE * ElemWidth> >& out,
          const ap_uint<PE> (&complement)[Channels / PE]) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(PE >= 1 && Channels >= 1 && Channels % PE == 0, "qnn::pool: PE has to divide Channels");
  static_assert(ElemWidth >= 1 && ElemWidth <= 32, "qnn::pool: ElemWidth has to be in 1..32");
  static_assert(Positions >= 1, "qnn::pool: Positions has to be at least 1");
  static_assert(Vectors >= 1, "qnn::pool: Vectors has to be at least 1");
  static_assert(beat_fits(PE * ElemWidth), "qnn::pool: PE*ElemWidth has to be at most AP_INT_MAX_W");
  constexpr unsigned folds = Channels / PE;

  ap_uint<PE * ElemWidth> running[folds];
#pragma HLS array_partition variable = running complete  // read and written in one cycle: registers, no memory

  Counter<folds> cf = 0;
  Counter<Positions> position = 0;
  // Invariant: i = (pixels done * Positions + position) * folds + cf; running[c] is the maximum over the positions
  // below `position` (c >= cf) or up to it (c < cf) of the channels of fold c.
  for (unsigned i = 0; i < Vectors * Positions * folds; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<PE * ElemWidth> x = in.read();
    const ap_uint<PE * ElemWidth> previous = running[cf];
    const bool last = position == Positions - 1;
    ap_uint<PE * ElemWidth> best = x;
    ap_uint<PE * ElemWidth> masked = 0;
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS unroll  // PE channels at once
      const bool greater = number<ElemWidth, Signed>(x, p) > number<ElemWidth, Signed>(previous, p);
      const Unsigned<ElemWidth> maximum =
          position == 0 || greater ? code<ElemWidth>(x, p) : code<ElemWidth>(previous, p);
      place<ElemWidth>(best, p, maximum);
      place<ElemWidth>(masked, p, code<1>(complement[cf], p) != 0 ? Unsigned<ElemWidth>(~maximum) : maximum);
    }
    running[cf] = best;
    if (last) out.write(masked);
    if (cf == folds - 1) position = next(position, last);
    cf = next(cf, cf == folds - 1);
  }
}

}  // namespace qnn
