// SPDX-License-Identifier: Apache-2.0
//
// Matrix-vector unit with binary weights.
//
//   InKind 0 (bipolar bits): P = #{k : x[k] == w[row][k]}                        0..MatrixWidth, dot = 2P - K
//   InKind 1 (ternary i2):   D = 2*#{k : x[k] == w[row][k]} + #{k : x[k] == 0}   0..2*MatrixWidth, dot = D - K
//   InKind 2 (integer):      dot = sum_k (w ? x : -x)                            signed
//
// Contract: in: SF = MatrixWidth/SIMD beats of SIMD elements a vector, columns in order; out: NF = MatrixHeight/PE
// beats of PE accumulators a vector, PE p of beat nf is row nf*PE+p. A call takes Vectors vectors, one frame:
// Vectors*SF beats in, Vectors*NF beats out, Vectors*NF*SF iterations. With NF > 1 the vector is stored during pass nf
// = 0 and read back in the passes after it, which read nothing from `in`.
//
// weights[t][p], t = nf*SF + sf: row nf*PE + p, lane s = column sf*SIMD + s; weight bit 1 = +1. What holds them (LUT,
// LUTRAM, BRAM) is said where the array stands, in the caller: a BIND_STORAGE pragma takes no template parameter.
//
// PE:           rows computed at once, divides MatrixHeight
// SIMD:         columns a beat, divides MatrixWidth
// MatrixHeight: rows N, >= 1
// MatrixWidth:  columns K, >= 1
// InKind:       0 = bipolar bits, 1 = ternary (two's complement -1/0/+1), 2 = integer
// InWidth:      bits of an element: 1 for InKind 0, 2 for InKind 1, 1..32 for InKind 2
// InSigned:     for InKind 2: 1 = elements are two's complement, 0 = unsigned
// AccWidth:     bits of an accumulator, 1..64; holds MatrixWidth (InKind 0) or 2*MatrixWidth (InKind 1); for InKind 2
//               the dot product is taken modulo 2^AccWidth, hence exact if the results of these weights fit
// Vectors:      vectors a frame, >= 1
#pragma once

#include "dot_integer.hpp"
#include "dot_ternary.hpp"
#include "dot_xnor.hpp"

namespace qnn {

// What a kind of input is turned into once a beat, for all rows, and its dot product with one row.
template <unsigned InKind, unsigned SIMD, unsigned InWidth, unsigned InSigned>
struct MvuLanes;

template <unsigned SIMD, unsigned InWidth, unsigned InSigned>
struct MvuLanes<0, SIMD, InWidth, InSigned> {
  using Operands = ap_uint<SIMD>;
  static Operands prepare(const ap_uint<SIMD>& x) { return x; }
  static Unsigned<bits_for(SIMD)> dot(const Operands& x, const ap_uint<SIMD>& w) { return dot_xnor<SIMD>(x, w); }
};

template <unsigned SIMD, unsigned InWidth, unsigned InSigned>
struct MvuLanes<1, SIMD, InWidth, InSigned> {
  using Operands = TernaryLanes<SIMD>;
  static Operands prepare(const ap_uint<2 * SIMD>& x) { return split_ternary<SIMD>(x); }
  static Unsigned<bits_for(2 * SIMD)> dot(const Operands& x, const ap_uint<SIMD>& w) { return dot_ternary<SIMD>(x, w); }
};

template <unsigned SIMD, unsigned InWidth, unsigned InSigned>
struct MvuLanes<2, SIMD, InWidth, InSigned> {
  using Operands = LanePairs<SIMD, InWidth>;
  static Operands prepare(const ap_uint<SIMD * InWidth>& x) { return lane_pairs<SIMD, InWidth, InSigned>(x); }
  static Signed<integer_dot_bits(SIMD, InWidth)> dot(const Operands& x, const ap_uint<SIMD>& w) {
    return dot_integer<SIMD, InWidth>(x, w);
  }
};

template <unsigned PE, unsigned SIMD, unsigned MatrixHeight, unsigned MatrixWidth, unsigned InKind, unsigned InWidth,
          unsigned InSigned, unsigned AccWidth, unsigned Vectors>
void mvu(hls::stream<ap_uint<SIMD * InWidth> >& in, hls::stream<ap_uint<PE * AccWidth> >& out,
         const ap_uint<SIMD> (&weights)[MatrixHeight * MatrixWidth / (PE * SIMD)][PE]) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
#pragma HLS array_partition variable = weights complete dim = 2  // every PE reads its row's word in each iteration
  static_assert(PE >= 1 && MatrixHeight % PE == 0, "qnn::mvu: PE has to divide MatrixHeight");
  static_assert(SIMD >= 1 && MatrixWidth % SIMD == 0, "qnn::mvu: SIMD has to divide MatrixWidth");
  static_assert(InKind <= 2, "qnn::mvu: InKind has to be 0, 1 or 2");
  static_assert(InKind == 2 || InWidth == InKind + 1, "qnn::mvu: InWidth has to be 1 for InKind 0 and 2 for InKind 1");
  static_assert(InWidth >= 1 && InWidth <= 32, "qnn::mvu: InWidth has to be in 1..32");
  static_assert(AccWidth >= 1 && AccWidth <= 64, "qnn::mvu: AccWidth has to be in 1..64");
  static_assert(InKind != 0 || AccWidth >= bits_for(MatrixWidth), "qnn::mvu: AccWidth has to hold MatrixWidth");
  static_assert(InKind != 1 || AccWidth >= bits_for(2 * MatrixWidth), "qnn::mvu: AccWidth has to hold 2*MatrixWidth");
  static_assert(Vectors >= 1, "qnn::mvu: Vectors has to be at least 1");
  static_assert(beat_fits(SIMD * InWidth), "qnn::mvu: SIMD*InWidth has to be at most AP_INT_MAX_W");
  static_assert(beat_fits(PE * AccWidth), "qnn::mvu: PE*AccWidth has to be at most AP_INT_MAX_W");
  using Lanes = MvuLanes<InKind, SIMD, InWidth, InSigned>;
  constexpr unsigned neuron_fold = MatrixHeight / PE;
  constexpr unsigned synapse_fold = MatrixWidth / SIMD;

  ap_uint<SIMD * InWidth> vector[synapse_fold];
#pragma HLS bind_storage variable = vector type = ram_s2p impl = lutram  // few, wide words: a block RAM would be empty
  Unsigned<AccWidth> accumulated[PE];
#pragma HLS array_partition variable = accumulated complete  // PE running sums, all changed in each iteration

  Counter<synapse_fold> sf = 0;
  Counter<neuron_fold> nf = 0;
  Counter<neuron_fold * synapse_fold> tile = 0;
  // Invariant: tile = nf*synapse_fold + sf, i = vectors done * tiles + tile; accumulated[p] is the sum over the columns
  // below sf*SIMD of row nf*PE + p; vector[0..sf) (nf = 0) or all of it (nf > 0) holds the beats of this vector.
  for (unsigned i = 0; i < Vectors * neuron_fold * synapse_fold; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a tile a cycle; what is finished never waits for input
    ap_uint<SIMD * InWidth> x;
    if (nf == 0) {
      x = in.read();
      vector[sf] = x;
    } else {
      x = vector[sf];
    }
    const typename Lanes::Operands operands = Lanes::prepare(x);
    const bool last = sf == synapse_fold - 1;
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS unroll  // PE rows at once
      const Unsigned<AccWidth> sum = static_cast<Unsigned<AccWidth> >(Lanes::dot(operands, weights[tile][p]));
      accumulated[p] = (sf == 0 ? Unsigned<AccWidth>(0) : accumulated[p]) + sum;
    }
    if (last) {
      ap_uint<PE * AccWidth> beat = 0;
      for (unsigned p = 0; p < PE; ++p) {
#pragma HLS unroll  // wires
        place<AccWidth>(beat, p, accumulated[p]);
      }
      out.write(beat);
    }
    tile = next(tile, tile == neuron_fold * synapse_fold - 1);
    sf = next(sf, last);
    if (last) nf = next(nf, nf == neuron_fold - 1);
  }
}

}  // namespace qnn
