// SPDX-License-Identifier: Apache-2.0
// Integer codes behind hls4ml's values, and the dot product of a vector of codes with +-1 weights.
//
// A code is the bits of an ap_(u)int or ap_(u)fixed value read as an integer: value = code * 2^-fraction_bits. A bipolar
// code is one bit: 0 = -1, 1 = +1. Weights come in words of 32 synapses, synapse i of a row in bit i % 32 of word
// i / 32, bit 1 = +1; the bits behind the last synapse are 1, where the operand has 0, so that they never count.
#ifndef NNET_QNN_CODES_H_
#define NNET_QNN_CODES_H_

#include "ap_int.h"
#include "nnet_qnn_popcount.h"

namespace nnet {

// Bits of x as an integer. Width: bits of T. Signed: whether they are two's complement.
template <unsigned Width, bool Signed, class T>
ap_int<Width + 1> qnn_code(const T& x) {
#pragma HLS INLINE
  const ap_uint<Width> bits = x.range(Width - 1, 0);
  ap_int<Width + 1> code = bits;
  if (Signed && bits[Width - 1]) {
    code[Width] = 1;  // sign extension: the bit above the highest
  }
  return code;
}

// The value of type T whose bits are those of `code`; Width: bits of T.
template <class T, unsigned Width, class code_T>
T qnn_value(const code_T& code) {
#pragma HLS INLINE
  const ap_int<Width> bits = code;
  T value;
  value.range(Width - 1, 0) = bits.range(Width - 1, 0);
  return value;
}

// One vector of codes, filled element by element, then multiplied with rows of weights.
// CONFIG_T: n_taps elements, n_words = ceil(n_taps / 32), bipolar, zero_padding, pad_code, code_width and code_signed of
// the elements, acc_width bits of a sum.
template <class CONFIG_T, bool Bipolar>
class qnn_operand;

template <class CONFIG_T>
class qnn_operand<CONFIG_T, true> {
 public:
  qnn_operand() : n_missing(0) {
#pragma HLS ARRAY_PARTITION variable = bits complete
#pragma HLS ARRAY_PARTITION variable = valid complete
    for (unsigned i = 0; i < CONFIG_T::n_words; i++) {
#pragma HLS UNROLL
      bits[i] = 0;
      valid[i] = ~ap_uint<32>(0);
    }
  }

  template <class T>
  void put(unsigned i, const T& x) {
#pragma HLS INLINE
    bits[i / 32][i % 32] = x != 0;
  }

  void pad(unsigned i) {
#pragma HLS INLINE
    if (CONFIG_T::zero_padding) {
      valid[i / 32][i % 32] = 0;
      n_missing++;
    } else {
      bits[i / 32][i % 32] = CONFIG_T::pad_code > 0;
    }
  }

  // Sum of products = equal lanes - different lanes = 2 * equal lanes - lanes; a missing lane is neither.
  ap_int<CONFIG_T::acc_width> dot(const typename CONFIG_T::weight_t* row) const {
#pragma HLS INLINE
    unsigned n_equal = 0;
    for (unsigned i = 0; i < CONFIG_T::n_words; i++) {
#pragma HLS UNROLL
      const ap_uint<32> weights = row[i];
      ap_uint<32> equal = ~(bits[i] ^ weights);
      if (CONFIG_T::zero_padding) {
        equal &= valid[i];
      }
      n_equal += qnn_popcount(equal);
    }
    return 2 * int(n_equal) - (int(CONFIG_T::n_taps) - int(n_missing));
  }

 private:
  ap_uint<32> bits[CONFIG_T::n_words];
  ap_uint<32> valid[CONFIG_T::n_words];
  unsigned n_missing;
};

template <class CONFIG_T>
class qnn_operand<CONFIG_T, false> {
 public:
  qnn_operand() {
#pragma HLS ARRAY_PARTITION variable = codes complete
  }

  template <class T>
  void put(unsigned i, const T& x) {
#pragma HLS INLINE
    codes[i] = qnn_code<CONFIG_T::code_width, CONFIG_T::code_signed>(x);
  }

  void pad(unsigned i) {
#pragma HLS INLINE
    codes[i] = CONFIG_T::pad_code;
  }

  ap_int<CONFIG_T::acc_width> dot(const typename CONFIG_T::weight_t* row) const {
#pragma HLS INLINE
    ap_int<CONFIG_T::acc_width> sum = 0;
    for (unsigned i = 0; i < CONFIG_T::n_taps; i++) {
#pragma HLS UNROLL
      const ap_uint<32> weights = row[i / 32];
      if (weights[i % 32]) {
        sum += codes[i];
      } else {
        sum -= codes[i];
      }
    }
    return sum;
  }

 private:
  ap_int<CONFIG_T::code_width + 1> codes[CONFIG_T::n_taps];
};

}  // namespace nnet

#endif
