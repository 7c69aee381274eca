// SPDX-License-Identifier: Apache-2.0
//
// Dot product of integer activations with bipolar weights, from the sums and differences of lane pairs.
//
//   sum = sum_lanes (w ? x : -x)
//   pairs: same = x[2i] + x[2i+1], different = x[2i] - x[2i+1]; an odd last lane stays as it is
//
// Contract: value functions, no state. Weight bit 0 = -1, 1 = +1; lane 0 in the LSBs. Two lanes with equal weights give
// +-(x0 + x1), with different ones +-(x0 - x1), so that a pair costs one choice and one adder instead of two. A pair is
// negative where its first weight is. What depends on no weight, lane_pairs, is computed once for all rows.
//
// SIMD:     lanes, >= 1
// InWidth:  bits of an activation, 1..32
// InSigned: 1 = activations are two's complement, 0 = unsigned
#pragma once

#include "popcount.hpp"

namespace qnn {

// Bits of a dot product, two's complement: no lane sum needs more.
constexpr unsigned integer_dot_bits(unsigned simd, unsigned in_width) { return in_width + 1 + bits_for(simd); }

// In the fast body the lanes themselves: a machine has no cheaper way to choose a sign than to choose it.
template <unsigned SIMD, unsigned InWidth>
struct LanePairs {
#ifdef QNN_HARDWARE_BODY
  // InWidth + 2 bits a pair, packed: wires, which no tool takes for a memory.
  ap_uint<(SIMD + 1) / 2 * (InWidth + 2)> same;
  ap_uint<(SIMD + 1) / 2 * (InWidth + 2)> different;
#else
  Signed<integer_dot_bits(SIMD, InWidth)> lane[SIMD];
#endif
};

template <unsigned SIMD, unsigned InWidth, unsigned InSigned>
inline LanePairs<SIMD, InWidth> lane_pairs(const ap_uint<SIMD * InWidth>& activations) {
  static_assert(SIMD >= 1, "qnn::lane_pairs: SIMD has to be at least 1");
  static_assert(InWidth >= 1 && InWidth <= 32, "qnn::lane_pairs: InWidth has to be in 1..32");
  LanePairs<SIMD, InWidth> pairs;
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // one adder and one subtracter a pair
  pairs.same = 0;
  pairs.different = 0;
  for (unsigned pair = 0; pair < (SIMD + 1) / 2; ++pair) {
#pragma HLS unroll  // all lanes at once
    const ap_int<InWidth + 1> first = number<InWidth, InSigned>(activations, 2 * pair);
    ap_int<InWidth + 1> second = 0;
    if (2 * pair + 1 < SIMD) second = number<InWidth, InSigned>(activations, 2 * pair + 1);
    place<InWidth + 2>(pairs.same, pair, ap_int<InWidth + 2>(first + second));
    place<InWidth + 2>(pairs.different, pair, ap_int<InWidth + 2>(first - second));
  }
#else
  for (unsigned lane = 0; lane < SIMD; ++lane) pairs.lane[lane] = number<InWidth, InSigned>(activations, lane);
#endif
  return pairs;
}

template <unsigned SIMD, unsigned InWidth>
inline Signed<integer_dot_bits(SIMD, InWidth)> dot_integer(const LanePairs<SIMD, InWidth>& pairs,
                                                           const ap_uint<SIMD>& weights) {
  Signed<integer_dot_bits(SIMD, InWidth)> sum = 0;
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // so that the accumulator's adder is scheduled with it
  // -v = ~v + 1: the terms are inverted, and the ones counted together.
  ap_uint<(SIMD + 1) / 2> negative = 0;
  for (unsigned pair = 0; pair < (SIMD + 1) / 2; ++pair) {
#pragma HLS unroll  // sums without a condition: the tool balances them to an adder tree
    const bool differ = 2 * pair + 1 < SIMD && weights[2 * pair + 1 < SIMD ? 2 * pair + 1 : 0] != weights[2 * pair];
    const ap_int<InWidth + 2> chosen = number<InWidth + 2, 1>(differ ? pairs.different : pairs.same, pair);
    negative[pair] = weights[2 * pair] == 0;
    sum += weights[2 * pair] == 0 ? ap_int<InWidth + 2>(~chosen) : chosen;
  }
  sum += popcount<(SIMD + 1) / 2>(negative);
#else
  for (unsigned k = 0; k < words_for(SIMD); ++k) {
    std::uint64_t bits = fast::word(weights, k);
    const unsigned last = SIMD - 64 * k < 64 ? SIMD : 64 * k + 64;
    for (unsigned lane = 64 * k; lane < last; ++lane, bits >>= 1) {
      const auto x = pairs.lane[lane];
      sum += (bits & 1) != 0 ? x : -x;
    }
  }
#endif
  return sum;
}

// The same for a beat as it comes from the stream.
template <unsigned SIMD, unsigned InWidth, unsigned InSigned>
inline Signed<integer_dot_bits(SIMD, InWidth)> dot_integer(const ap_uint<SIMD * InWidth>& activations,
                                                           const ap_uint<SIMD>& weights) {
#pragma HLS inline  // as above
  return dot_integer<SIMD, InWidth>(lane_pairs<SIMD, InWidth, InSigned>(activations), weights);
}

}  // namespace qnn
