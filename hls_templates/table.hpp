// SPDX-License-Identifier: Apache-2.0
//
// Constant tables (weights, thresholds, scores) that Vitis HLS sees as ROMs and g++ compiles fast.
//
//   QNN_TABLE(ap_uint<32>, fc1_weights, [16][8]) = {{0x12u, ...}, ...};
//   QNN_TABLE(ap_uint<200>, fc2_weights, [4][1]) = {{QNN_HEX(200, "12ab...")}, ...};
//
// Vitis HLS gets `static const ap_uint<32> fc1_weights[16][8] = ...`: a ROM with its content. The same text costs g++
// 0.2 ms and 100 kB a word, because a constructor of ap_uint is code, not data (g++ 12: 2,000 words in 0.4 s, of words
// given as text 4 s). It therefore gets the literals as plain data and fills the table when the program starts.
//
// type:  ap_uint<W> or ap_int<W>
// name:  of the table, an array of `type`; `name`_literals and `name`_filled are taken as well
// dims:  the array's dimensions, each in brackets
// Words of up to 64 bits are integer literals, longer ones QNN_HEX(W, "digits") without a prefix.
#pragma once

#include <ap_int.h>

#ifdef __SYNTHESIS__

#define QNN_HEX(Width, digits) ap_uint<Width>(digits, 16)
#define QNN_TABLE(type, name, dims) static const type name dims

#else

#include <cstddef>
#include <cstdint>

#define QNN_HEX(Width, digits) digits
#define QNN_TABLE(type, name, dims)                                   \
  extern const qnn::Literal<type>::Type name##_literals dims;         \
  static const qnn::Filled<type dims> name##_filled(name##_literals); \
  static const type(&name) dims = name##_filled.values;               \
  const qnn::Literal<type>::Type name##_literals dims

namespace qnn {

// What a word is written as: an integer literal, or hexadecimal digits.
template <bool Wide, bool Signed>
struct LiteralOf {
  typedef std::uint64_t Type;
};
template <>
struct LiteralOf<false, true> {
  typedef std::int64_t Type;
};
template <bool Signed>
struct LiteralOf<true, Signed> {
  typedef const char* Type;
};

template <typename Word>
struct Literal;
template <int Width>
struct Literal<ap_uint<Width> > {
  typedef typename LiteralOf<(Width > 64), false>::Type Type;
};
template <int Width>
struct Literal<ap_int<Width> > {
  typedef typename LiteralOf<(Width > 64), true>::Type Type;
};

inline unsigned hex_digit(char digit) { return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10); }

// A word from its literal.
template <typename Word>
void fill(Word& word, std::uint64_t literal) {
  word = Word(static_cast<unsigned long long>(literal));
}
template <typename Word>
void fill(Word& word, std::int64_t literal) {
  word = Word(static_cast<long long>(literal));
}
template <typename Word>
void fill(Word& word, const char* digits) {
  word = 0;
  for (; *digits != '\0'; ++digits) {
    word <<= 4;
    word |= Word(hex_digit(*digits));
  }
}
template <typename Word, typename Source, std::size_t Size>
void fill(Word (&words)[Size], const Source (&literals)[Size]) {
  for (std::size_t i = 0; i < Size; ++i) {
    fill(words[i], literals[i]);
  }
}

// A table filled from its literals when the program starts.
template <typename Array>
struct Filled {
  Array values;
  template <typename Literals>
  explicit Filled(const Literals& literals) {
    fill(values, literals);
  }
};

}  // namespace qnn

#endif
