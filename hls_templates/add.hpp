// SPDX-License-Identifier: Apache-2.0
//
// Exact sum of two streams, element by element.
//
//   m = value(s0) + value(s1)
//
// Contract: order kept; a call takes Beats beats of each input, one frame, and gives as many, an iteration each. The
// result always fits: a range that does not fit OutWidth bits (of two's complement, unless both inputs are unsigned) is a
// compile error.
//
// Lanes:    elements a beat, >= 1
// In0Width: bits of an element of in0, 1..62
// In0Kind:  its value: 0 = unsigned, 1 = two's complement, 2 = one bipolar bit, 0 for -1 and 1 for +1
// In1Width: bits of an element of in1, 1..62
// In1Kind:  as In0Kind
// OutWidth: bits of an output element, 1..64
// Beats:    beats a frame, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

// Element `lane` of a beat as the number its code stands for; Kind as above.
template <unsigned Width, unsigned Kind, int W>
inline Signed<64> value_of(const ap_uint<W>& beat, unsigned lane) {
#pragma HLS inline  // wires
  const Signed<64> bits = number<Width, Kind == 1 ? 1 : 0>(beat, lane);
  return Kind == 2 ? Signed<64>(2 * bits - 1) : bits;
}

template <unsigned Lanes, unsigned In0Width, unsigned In0Kind, unsigned In1Width, unsigned In1Kind, unsigned OutWidth,
          unsigned Beats>
void add(hls::stream<ap_uint<Lanes * In0Width> >& in0, hls::stream<ap_uint<Lanes * In1Width> >& in1,
         hls::stream<ap_uint<Lanes * OutWidth> >& out) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(Lanes >= 1, "qnn::add: Lanes has to be at least 1");
  static_assert(In0Width >= 1 && In0Width <= 62 && In1Width >= 1 && In1Width <= 62,
                "qnn::add: In0Width and In1Width have to be in 1..62");
  static_assert(In0Kind <= 2 && In1Kind <= 2, "qnn::add: In0Kind and In1Kind have to be 0, 1 or 2");
  static_assert((In0Kind != 2 || In0Width == 1) && (In1Kind != 2 || In1Width == 1),
                "qnn::add: a bipolar element is one bit");
  static_assert(OutWidth >= 1 && OutWidth <= 64, "qnn::add: OutWidth has to be in 1..64");
  static_assert(Beats >= 1, "qnn::add: Beats has to be at least 1");
  static_assert(beat_fits(Lanes * In0Width) && beat_fits(Lanes * In1Width) && beat_fits(Lanes * OutWidth),
                "qnn::add: Lanes times the widths have to be at most AP_INT_MAX_W");
  constexpr std::int64_t min0 = In0Kind == 0 ? 0 : -(std::int64_t{1} << (In0Width - 1));
  constexpr std::int64_t min1 = In1Kind == 0 ? 0 : -(std::int64_t{1} << (In1Width - 1));
  constexpr std::int64_t max0 = (std::int64_t{1} << (In0Kind == 1 ? In0Width - 1 : In0Width)) - 1;
  constexpr std::int64_t max1 = (std::int64_t{1} << (In1Kind == 1 ? In1Width - 1 : In1Width)) - 1;
  constexpr unsigned magnitude = min0 + min1 < 0 ? OutWidth - 1 : OutWidth;
  constexpr std::int64_t limit = magnitude < 63 ? std::int64_t{1} << (magnitude < 63 ? magnitude : 0) : INT64_MAX;
  static_assert(max0 + max1 < limit && min0 + min1 >= -limit, "qnn::add: the sum has to fit OutWidth bits");

  for (unsigned i = 0; i < Beats; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<Lanes * In0Width> a = in0.read();
    const ap_uint<Lanes * In1Width> b = in1.read();
    ap_uint<Lanes * OutWidth> y = 0;
    for (unsigned lane = 0; lane < Lanes; ++lane) {
#pragma HLS unroll  // all lanes at once
      // Modulo 2^OutWidth; exact, because the result fits.
      place<OutWidth>(y, lane, Signed<64>(value_of<In0Width, In0Kind>(a, lane) + value_of<In1Width, In1Kind>(b, lane)));
    }
    out.write(y);
  }
}

}  // namespace qnn
