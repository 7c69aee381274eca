// SPDX-License-Identifier: Apache-2.0
//
// Bipolar dot product as the number of agreeing lanes.
//
//   count = popcount(~(activations ^ weights)),  dot = 2*count - SIMD
//
// Contract: a value function, no state. Bit 0 = -1, bit 1 = +1; lane 0 in the LSBs. Two bodies that are equal by test:
// in the hardware's three lanes (six bits) go into a counter whose two result bits are one six-input LUT each, and
// popcount adds the results; the fast one counts machine words.
//
// SIMD: lanes, >= 1
#pragma once

#include "popcount.hpp"

namespace qnn {

template <unsigned SIMD>
inline Unsigned<bits_for(SIMD)> dot_xnor(const ap_uint<SIMD>& activations, const ap_uint<SIMD>& weights) {
  static_assert(SIMD >= 1, "qnn::dot_xnor: SIMD has to be at least 1");
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // so that the accumulator's adder is scheduled with it
  constexpr unsigned groups = (SIMD + 2) / 3;
  ap_uint<groups> low = 0;
  ap_uint<groups> high = 0;
  for (unsigned g = 0; g < groups; ++g) {
#pragma HLS unroll  // all lanes at once
    ap_uint<3> agree = 0;  // lanes that fill up the last group count nothing
    for (unsigned i = 0; i < 3; ++i) {
#pragma HLS unroll  // wires
      if (3 * g + i < SIMD) agree[i] = activations[3 * g + i] == weights[3 * g + i];
    }
    const ap_uint<1> a = agree[0], b = agree[1], c = agree[2];
    low[g] = a ^ b ^ c;
    high[g] = (a & b) | (c & (a ^ b));
  }
  // Modulo 2^bits; exact, because the count fits.
  return ap_uint<bits_for(SIMD)>(popcount<groups>(low)) + (ap_uint<bits_for(SIMD)>(popcount<groups>(high)) << 1);
#else
  unsigned count = 0;
  for (unsigned k = 0; k < words_for(SIMD); ++k) {
    const unsigned bits = k + 1 < words_for(SIMD) ? 64 : SIMD - 64 * k;
    const std::uint64_t agree = ~(fast::word(activations, k) ^ fast::word(weights, k)) & fast::ones(bits);
    count += fast::popcount_word(agree);
  }
  return count;
#endif
}

}  // namespace qnn
