// SPDX-License-Identifier: Apache-2.0
//
// What all operators share: the elements of a beat, and integers that are as wide as they have to be.
//
//   element i of a beat = bits [i * ElemWidth +: ElemWidth]; element 0 lies in the least significant bits
//
// Two bodies that are equal by test (tests/hls/): the hardware's, for Vitis (__SYNTHESIS__) or with QNN_STRUCTURAL,
// says every width; the fast one, for C simulation, works on machine words. An operator is one text for both.
//
// AP_INT_MAX_W: bits of the widest ap_uint the tool accepts. ap_int.h takes 1024 unless told otherwise, and the Vitis
// HLS guide (UG1399) allows up to 4096, which is the default here; include this header before ap_int.h, or define the
// macro for the whole compilation. A wider beat is a compile error: fold further, or, for C simulation alone, define
// more.
#pragma once

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096
#endif

#include <ap_int.h>
#include <hls_stream.h>

#include <cstdint>
#include <type_traits>

#if defined(__SYNTHESIS__) || defined(QNN_STRUCTURAL)
#define QNN_HARDWARE_BODY
#endif

namespace qnn {

// Bits of an unsigned number that holds 0..value, at least 1.
constexpr unsigned bits_for(unsigned long long value) {
  unsigned bits = 1;
  while (value >>= 1) ++bits;
  return bits;
}

constexpr unsigned words_for(unsigned bits) { return (bits + 63) / 64; }

constexpr bool beat_fits(unsigned long long bits) { return bits >= 1 && bits <= AP_INT_MAX_W; }

// Unsigned<W>, Signed<W>: numbers of W bits, 1..64. In hardware exactly W, and arithmetic wraps; in the fast body a
// machine word of at least W bits, whose higher bits `place` drops.
#ifdef QNN_HARDWARE_BODY
template <unsigned W>
using Unsigned = ap_uint<W>;
template <unsigned W>
using Signed = ap_int<W>;
#else
template <unsigned W>
using Unsigned = typename std::conditional<(W <= 32), std::uint32_t, std::uint64_t>::type;
template <unsigned W>
using Signed = typename std::conditional<(W <= 32), std::int32_t, std::int64_t>::type;
#endif

// A counter of 0..Last, and its value after an iteration: 0 behind the last one.
template <unsigned Last>
using Counter = Unsigned<bits_for(Last)>;

template <typename Count>
inline Count next(const Count& count, bool last) {
#pragma HLS inline  // an adder and a reset
  return last ? Count(0) : Count(count + 1);
}

#ifndef QNN_HARDWARE_BODY
namespace fast {

constexpr std::uint64_t ones(unsigned bits) { return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1; }

// Word k (64 bits) of a value; the bits above its width are 0.
template <int W>
inline std::uint64_t word(const ap_uint<W>& value, unsigned k) {
#ifdef __AP_PRIVATE_H__
  return value.V.get_pVal(static_cast<int>(k));
#else
  return W <= 64 ? value.to_uint64() : (value >> (64 * k)).to_uint64();
#endif
}

template <int W>
inline void set_word(ap_uint<W>& value, unsigned k, std::uint64_t bits) {
#ifdef __AP_PRIVATE_H__
  value.V.set_pVal(static_cast<int>(k), bits);
#else
  const unsigned high = 64 * k + 63;
  value.range(high < W ? high : W - 1, 64 * k) = bits;
#endif
}

}  // namespace fast
#endif

// Element `lane` of a beat as it stands there: ElemWidth bits, 1..64.
template <unsigned ElemWidth, int W>
inline Unsigned<ElemWidth> code(const ap_uint<W>& beat, unsigned lane) {
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // wires
  return ap_uint<ElemWidth>(beat.range((lane + 1) * ElemWidth - 1, lane * ElemWidth));
#else
  const unsigned bit = lane * ElemWidth;
  const unsigned shift = bit % 64;
  std::uint64_t bits = fast::word(beat, bit / 64) >> shift;
  if (shift + ElemWidth > 64) bits |= fast::word(beat, bit / 64 + 1) << (64 - shift);
  return static_cast<Unsigned<ElemWidth> >(bits & fast::ones(ElemWidth));
#endif
}

// Element `lane` of a beat as a number: two's complement if IsSigned is 1, else unsigned. ElemWidth is 1..63.
template <unsigned ElemWidth, unsigned IsSigned, int W>
inline Signed<ElemWidth + 1> number(const ap_uint<W>& beat, unsigned lane) {
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // wires
  const ap_uint<ElemWidth> bits = code<ElemWidth>(beat, lane);
  if (IsSigned != 0) return Signed<ElemWidth + 1>(ap_int<ElemWidth>(bits));
  return Signed<ElemWidth + 1>(bits);
#else
  const std::uint64_t bits = code<ElemWidth>(beat, lane);
  const std::uint64_t sign = IsSigned != 0 ? std::uint64_t{1} << (ElemWidth - 1) : 0;
  return static_cast<Signed<ElemWidth + 1> >(static_cast<std::int64_t>((bits ^ sign) - sign));
#endif
}

// Puts the low ElemWidth bits of `value`, 1..64, into element `lane` of a beat.
template <unsigned ElemWidth, int W, typename Value>
inline void place(ap_uint<W>& beat, unsigned lane, const Value& value) {
#ifdef QNN_HARDWARE_BODY
#pragma HLS inline  // wires
  beat.range((lane + 1) * ElemWidth - 1, lane * ElemWidth) = ap_uint<ElemWidth>(value);
#else
  const std::uint64_t mask = fast::ones(ElemWidth);
  const std::uint64_t bits = static_cast<std::uint64_t>(value) & mask;
  const unsigned bit = lane * ElemWidth;
  const unsigned shift = bit % 64;
  fast::set_word(beat, bit / 64, (fast::word(beat, bit / 64) & ~(mask << shift)) | (bits << shift));
  if (shift + ElemWidth > 64) {
    const unsigned rest = 64 - shift;
    fast::set_word(beat, bit / 64 + 1, (fast::word(beat, bit / 64 + 1) & ~(mask >> rest)) | (bits >> rest));
  }
#endif
}

}  // namespace qnn
