// SPDX-License-Identifier: Apache-2.0
//
// Exact integer affine map of each element.
//
//   y = Scale * x + Offset
//
// Contract: order kept; a call takes Beats beats, one frame, and gives as many, an iteration each. The result always
// fits: a range that does not fit OutWidth bits of two's complement is a compile error.
//
// Lanes:    elements a beat, >= 1
// InWidth:  bits of an input element, 1..30
// InSigned: 1 = the input is two's complement, 0 = unsigned
// OutWidth: bits of an output element (two's complement), InWidth..64
// Scale:    factor, not 0
// Offset:   summand
// Beats:    beats a frame, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

template <unsigned Lanes, unsigned InWidth, unsigned InSigned, unsigned OutWidth, int Scale, int Offset, unsigned Beats>
void affine(hls::stream<ap_uint<Lanes * InWidth> >& in, hls::stream<ap_uint<Lanes * OutWidth> >& out) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(Lanes >= 1, "qnn::affine: Lanes has to be at least 1");
  static_assert(InWidth >= 1 && InWidth <= 30, "qnn::affine: InWidth has to be in 1..30");
  static_assert(OutWidth >= InWidth && OutWidth <= 64, "qnn::affine: OutWidth has to be in InWidth..64");
  static_assert(Scale != 0, "qnn::affine: Scale must not be 0");
  static_assert(Beats >= 1, "qnn::affine: Beats has to be at least 1");
  static_assert(beat_fits(Lanes * OutWidth), "qnn::affine: Lanes*OutWidth has to be at most AP_INT_MAX_W");
  constexpr std::int64_t in_min = InSigned != 0 ? -(std::int64_t{1} << (InWidth - 1)) : 0;
  constexpr std::int64_t in_max = (std::int64_t{1} << (InSigned != 0 ? InWidth - 1 : InWidth)) - 1;
  constexpr std::int64_t at_min = Scale * in_min + Offset;
  constexpr std::int64_t at_max = Scale * in_max + Offset;
  constexpr std::int64_t limit = OutWidth < 64 ? std::int64_t{1} << (OutWidth < 64 ? OutWidth - 1 : 0) : INT64_MAX;
  static_assert(at_min >= -limit && at_max >= -limit && at_min < limit && at_max < limit,
                "qnn::affine: Scale*x + Offset has to fit OutWidth bits");

  for (unsigned i = 0; i < Beats; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<Lanes * InWidth> x = in.read();
    ap_uint<Lanes * OutWidth> y = 0;
    for (unsigned lane = 0; lane < Lanes; ++lane) {
#pragma HLS unroll  // all lanes at once
      // Modulo 2^OutWidth; exact, because the result fits.
      const Signed<64> value = number<InWidth, InSigned>(x, lane);
      place<OutWidth>(y, lane, Signed<64>(value * Scale + Offset));
    }
    out.write(y);
  }
}

}  // namespace qnn
