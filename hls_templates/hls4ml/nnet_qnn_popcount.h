// SPDX-License-Identifier: Apache-2.0
// Number of ones in a word of 32 bits.
//
// Plain C++11, where the other headers of hls_templates are C++14: hls4ml's own scripts compile with -std=c++0x for
// synthesis and with -std=c++11 for VivadoAccelerator. Two bodies that are equal by test
// (tests/hls4ml/test_headers.py): the hardware's, for Vitis (__SYNTHESIS__) or with QNN_STRUCTURAL, and a fast one.
#ifndef NNET_QNN_POPCOUNT_H_
#define NNET_QNN_POPCOUNT_H_

#include "ap_int.h"

namespace nnet {

#if defined(__SYNTHESIS__) || defined(QNN_STRUCTURAL)

// Ones among six bits: each result bit is a function of all six, one six-input LUT.
inline ap_uint<3> qnn_count_six(const ap_uint<6>& bits) {
#pragma HLS INLINE
  const ap_uint<1> a = bits[0], b = bits[1], c = bits[2], d = bits[3], e = bits[4], f = bits[5];
  const ap_uint<1> low0 = a ^ b ^ c, high0 = (a & b) | (c & (a ^ b));
  const ap_uint<1> low1 = d ^ e ^ f, high1 = (d & e) | (f & (d ^ e));
  const ap_uint<1> carry = low0 & low1;
  ap_uint<3> count = 0;
  count[0] = low0 ^ low1;
  count[1] = high0 ^ high1 ^ carry;
  count[2] = (high0 & high1) | (carry & (high0 ^ high1));
  return count;
}

inline ap_uint<4> qnn_count_eleven(const ap_uint<11>& bits) {
#pragma HLS INLINE
  const ap_uint<6> first = bits.range(5, 0), second = bits.range(10, 6);
  return qnn_count_six(first) + qnn_count_six(second);
}

// Three bits into a sum and a carry first: with the XNOR of three synapses before them, two functions of six inputs.
inline unsigned qnn_popcount(const ap_uint<32>& word) {
#pragma HLS INLINE
  ap_uint<11> low, high;
  for (unsigned i = 0; i < 11; i++) {
#pragma HLS UNROLL
    const ap_uint<1> a = word[3 * i], b = word[3 * i + 1];
    ap_uint<1> c = 0;
    if (3 * i + 2 < 32) c = word[3 * i + 2];
    low[i] = a ^ b ^ c;
    high[i] = (a & b) | (c & (a ^ b));
  }
  const ap_uint<6> ones = qnn_count_eleven(low), twos = qnn_count_eleven(high);
  return (ones + (twos << 1)).to_uint();
}

#else

inline unsigned qnn_popcount(const ap_uint<32>& word) { return __builtin_popcount(word.to_uint()); }

#endif

}  // namespace nnet

#endif
