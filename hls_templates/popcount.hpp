// SPDX-License-Identifier: Apache-2.0
//
// Number of ones in a word.
//
//   count = sum_i data[i]
//
// Contract: a value function, no state. Two bodies that are equal by test: the hardware's is a tree of 6:3 counters,
// each output bit a function of six bits and so one six-input LUT; the fast one counts machine words. The tree keeps
// the bits sorted by weight and puts six of one weight into a counter until no weight has more than two bits; one adder
// does the rest (the tree of rtl/qnn_popcount.sv).
//
// Width: bits of the word, >= 1
#pragma once

#include "beat.hpp"

namespace qnn {

#ifdef QNN_HARDWARE_BODY

namespace tree {

constexpr unsigned kColumns = 16;

// Bits of each weight 2^c on a level of the tree.
struct Heights {
  unsigned of[kColumns];
};

// What becomes of h bits of one weight: bits of the same weight, of twice and of four times the weight.
constexpr unsigned same_bits(unsigned h) { return h / 6 + (h % 6 <= 2 ? h % 6 : 1); }
constexpr unsigned twice_bits(unsigned h) { return h / 6 + (h % 6 >= 3 ? 1 : 0); }
constexpr unsigned four_bits(unsigned h) { return h / 6 + (h % 6 >= 4 ? 1 : 0); }

constexpr Heights heights_after(unsigned width, unsigned levels) {
  Heights now{};
  now.of[0] = width;
  for (unsigned l = 0; l < levels; ++l) {
    Heights next{};
    for (unsigned c = 0; c < kColumns; ++c) {
      next.of[c] = same_bits(now.of[c]);
      if (c >= 1) next.of[c] += twice_bits(now.of[c - 1]);
      if (c >= 2) next.of[c] += four_bits(now.of[c - 2]);
    }
    now = next;
  }
  return now;
}

// Levels until no weight has more than two bits.
constexpr unsigned needed_levels(unsigned width) {
  for (unsigned levels = 0;; ++levels) {
    const Heights now = heights_after(width, levels);
    unsigned highest = 0;
    for (unsigned c = 0; c < kColumns; ++c) highest = now.of[c] > highest ? now.of[c] : highest;
    if (highest <= 2) return levels;
  }
}

constexpr unsigned height(unsigned width, unsigned level, unsigned column) {
  return heights_after(width, level).of[column];
}

// Where the bits of weight 2^column start in the level's word; with column = kColumns the word's length.
constexpr unsigned start(unsigned width, unsigned level, unsigned column) {
  const Heights now = heights_after(width, level);
  unsigned total = 0;
  for (unsigned c = 0; c < column && c < kColumns; ++c) total += now.of[c];
  return total;
}

template <unsigned Width, unsigned Level>
using Word = ap_uint<start(Width, Level, kColumns)>;

// Number of ones among six bits, two full adders and a half one: each result bit is a function of all six.
inline ap_uint<3> count_six(const ap_uint<6>& bits) {
#pragma HLS inline  // logic that is to be packed into LUTs together with what surrounds it
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

// The counters for weight 2^Column between a level and the next one. There a weight holds first its own bits, then
// those from half, then those from a quarter of it. A template for each weight, so that each loop has constant bounds.
template <unsigned Width, unsigned Level, unsigned Column, bool Used = (Column < kColumns)>
struct Counters {
  static void apply(const Word<Width, Level>& from, Word<Width, Level + 1>& to) {
#pragma HLS inline  // one level is one layer of logic
    constexpr unsigned high = height(Width, Level, Column);
    constexpr unsigned above = Column + 1 < kColumns ? height(Width, Level, Column + 1) : 0;
    constexpr unsigned further = Column + 2 < kColumns ? height(Width, Level, Column + 2) : 0;
    constexpr unsigned counters = twice_bits(high);
    constexpr unsigned fours = four_bits(high);
    constexpr unsigned source = start(Width, Level, Column);
    constexpr unsigned to_same = start(Width, Level + 1, Column);
    constexpr unsigned to_twice = start(Width, Level + 1, Column + 1) + same_bits(above);
    constexpr unsigned to_four = start(Width, Level + 1, Column + 2) + same_bits(further) + twice_bits(above);
    for (unsigned g = 0; g < counters; ++g) {
#pragma HLS unroll  // all counters of a level work at once
      ap_uint<6> six = 0;
      for (unsigned i = 0; i < 6; ++i) {
#pragma HLS unroll  // wires
        if (6 * g + i < high) six[i] = from[source + 6 * g + i];
      }
      const ap_uint<3> count = count_six(six);
      to[to_same + g] = count[0];
      to[to_twice + g] = count[1];
      if (g < fours) to[to_four + g] = count[2];
    }
    for (unsigned i = 6 * counters; i < high; ++i) {
#pragma HLS unroll  // one or two bits that are too few for a counter pass by
      to[to_same + counters + i - 6 * counters] = from[source + i];
    }
    Counters<Width, Level, Column + 1>::apply(from, to);
  }
};

template <unsigned Width, unsigned Level, unsigned Column>
struct Counters<Width, Level, Column, false> {
  static void apply(const Word<Width, Level>&, Word<Width, Level + 1>&) {}
};

// What is left, at most two bits of each weight from 2^Column on, as two numbers.
template <unsigned Width, unsigned Level, unsigned Column, bool Used = (Column < bits_for(Width))>
struct Rows {
  static void apply(const Word<Width, Level>& bits, ap_uint<bits_for(Width)>& row0, ap_uint<bits_for(Width)>& row1) {
#pragma HLS inline  // wires
    constexpr unsigned high = height(Width, Level, Column);
    constexpr unsigned source = start(Width, Level, Column);
    if (high >= 1) row0[Column] = bits[source];
    if (high >= 2) row1[Column] = bits[source + 1];
    Rows<Width, Level, Column + 1>::apply(bits, row0, row1);
  }
};

template <unsigned Width, unsigned Level, unsigned Column>
struct Rows<Width, Level, Column, false> {
  static void apply(const Word<Width, Level>&, ap_uint<bits_for(Width)>&, ap_uint<bits_for(Width)>&) {}
};

template <unsigned Width, unsigned Level, bool Last = (Level == needed_levels(Width))>
struct Reduce {
  static ap_uint<bits_for(Width)> apply(const Word<Width, Level>& bits) {
#pragma HLS inline  // the levels are one piece of logic
    Word<Width, Level + 1> next = 0;
    Counters<Width, Level, 0>::apply(bits, next);
    return Reduce<Width, Level + 1>::apply(next);
  }
};

template <unsigned Width, unsigned Level>
struct Reduce<Width, Level, true> {
  static ap_uint<bits_for(Width)> apply(const Word<Width, Level>& bits) {
#pragma HLS inline  // the levels are one piece of logic
    ap_uint<bits_for(Width)> row0 = 0;
    ap_uint<bits_for(Width)> row1 = 0;
    Rows<Width, Level, 0>::apply(bits, row0, row1);
    return row0 + row1;  // modulo 2^bits; exact, because the count fits
  }
};

}  // namespace tree

#else

namespace fast {

// Ones of 64 bits. Without the machine's instruction the sum in parallel is quicker than the compiler's table.
inline unsigned popcount_word(std::uint64_t bits) {
#ifdef __POPCNT__
  return static_cast<unsigned>(__builtin_popcountll(bits));
#else
  bits -= (bits >> 1) & 0x5555555555555555U;
  bits = (bits & 0x3333333333333333U) + ((bits >> 2) & 0x3333333333333333U);
  bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU;
  return static_cast<unsigned>((bits * 0x0101010101010101U) >> 56);
#endif
}

}  // namespace fast

#endif

template <unsigned Width>
inline Unsigned<bits_for(Width)> popcount(const ap_uint<Width>& data) {
  static_assert(Width >= 1 && Width < 65536, "qnn::popcount: Width has to be in 1..65535");
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // so that the adders around it share its logic
  return tree::Reduce<Width, 0>::apply(data);
#else
  unsigned count = 0;
  for (unsigned k = 0; k < words_for(Width); ++k) count += fast::popcount_word(fast::word(data, k));
  return count;
#endif
}

}  // namespace qnn
