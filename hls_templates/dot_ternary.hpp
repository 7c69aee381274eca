// SPDX-License-Identifier: Apache-2.0
//
// Dot product of ternary activations with bipolar weights, shifted to be unsigned.
//
//   sum = sum_lanes (a == 0 ? 1 : 2*[a == w]) = 2*popcount(valid & (a == w)) + invalid_count,  dot = sum - SIMD
//
// Contract: value functions, no state. Activations are two's complement pairs -1/0/+1, lane 0 in the LSBs (2'b10 does
// not occur); weight bit 0 = -1, 1 = +1. What depends on no weight, split_ternary, is computed once for all rows.
//
// SIMD: lanes, >= 1
#pragma once

#include "popcount.hpp"

namespace qnn {

// A beat of ternary activations: bit `lane` of valid says that it is not zero, of negative that it is -1.
template <unsigned SIMD>
struct TernaryLanes {
  ap_uint<SIMD> valid;
  ap_uint<SIMD> negative;
  Unsigned<bits_for(SIMD)> invalid_count;
};

template <unsigned SIMD>
inline TernaryLanes<SIMD> split_ternary(const ap_uint<2 * SIMD>& activations) {
  static_assert(SIMD >= 1, "qnn::split_ternary: SIMD has to be at least 1");
#pragma HLS inline  // wires and one popcount
  TernaryLanes<SIMD> lanes;
  lanes.valid = 0;
  lanes.negative = 0;
  for (unsigned lane = 0; lane < SIMD; ++lane) {
#pragma HLS unroll  // wires
    const Unsigned<2> pair = code<2>(activations, lane);
    place<1>(lanes.valid, lane, pair & 1);
    place<1>(lanes.negative, lane, pair >> 1);
  }
  lanes.invalid_count = SIMD - popcount<SIMD>(lanes.valid);
  return lanes;
}

template <unsigned SIMD>
inline Unsigned<bits_for(2 * SIMD)> dot_ternary(const TernaryLanes<SIMD>& lanes, const ap_uint<SIMD>& weights) {
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // so that the accumulator's adder is scheduled with it
  // The low bit of the pair says valid, the high bit is the sign: +1 agrees with weight bit 1.
  const ap_uint<SIMD> agree = lanes.valid & (lanes.negative ^ weights);
  return (ap_uint<bits_for(2 * SIMD)>(popcount<SIMD>(agree)) << 1) + lanes.invalid_count;
#else
  unsigned count = 0;
  for (unsigned k = 0; k < words_for(SIMD); ++k) {
    count += fast::popcount_word(fast::word(lanes.valid, k) & (fast::word(lanes.negative, k) ^ fast::word(weights, k)));
  }
  return 2 * count + lanes.invalid_count;
#endif
}

// The same for a beat as it comes from the stream.
template <unsigned SIMD>
inline Unsigned<bits_for(2 * SIMD)> dot_ternary(const ap_uint<2 * SIMD>& activations, const ap_uint<SIMD>& weights) {
#pragma HLS inline  // as above
  return dot_ternary<SIMD>(split_ternary<SIMD>(activations), weights);
}

}  // namespace qnn
