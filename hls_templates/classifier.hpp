// SPDX-License-Identifier: Apache-2.0
//
// Classifier: index of the greatest score, the lowest index on a tie.
//
//   classifier:       score = slopes[class]*x + biases[class]   signed
//   classifier_ranks: score = ranks[class][x]                   unsigned
//   m = min argmax_class score
//
// Contract: in: NF = Classes/PE beats a frame, PE p of beat nf is class nf*PE+p (classifier_ranks: one class a beat);
// out: one beat a frame, the index zero-extended to 32 bits. A call takes one frame, an iteration a beat.
//
// slopes[nf][p], biases[nf][p]: of class nf*PE + p. ranks[class*2^InWidth + (x as InWidth unsigned bits)].
//
// PE:         classes a beat, divides Classes
// Classes:    classes, >= 1
// InWidth:    bits of an input element, 1..32; classifier_ranks: 1..24
// InSigned:   1 = inputs are two's complement, 0 = unsigned
// ScoreWidth: bits of a score, 1..63; the affine scores have to fit
// SlopeWidth: bits of a slope, 1..ScoreWidth
#pragma once

#include "beat.hpp"

namespace qnn {

template <unsigned PE, unsigned Classes, unsigned InWidth, unsigned InSigned, unsigned ScoreWidth, unsigned SlopeWidth>
void classifier(hls::stream<ap_uint<PE * InWidth> >& in, hls::stream<ap_uint<32> >& out,
                const ap_int<SlopeWidth> (&slopes)[Classes / PE][PE],
                const ap_int<ScoreWidth> (&biases)[Classes / PE][PE]) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
#pragma HLS array_partition variable = slopes complete dim = 2  // every PE scores its class in each iteration
#pragma HLS array_partition variable = biases complete dim = 2  // as the slopes
  static_assert(PE >= 1 && Classes >= 1 && Classes % PE == 0, "qnn::classifier: PE has to divide Classes");
  static_assert(InWidth >= 1 && InWidth <= 32, "qnn::classifier: InWidth has to be in 1..32");
  static_assert(ScoreWidth >= 1 && ScoreWidth <= 63, "qnn::classifier: ScoreWidth has to be in 1..63");
  static_assert(SlopeWidth >= 1 && SlopeWidth <= ScoreWidth, "qnn::classifier: SlopeWidth has to be in 1..ScoreWidth");
  static_assert(beat_fits(PE * InWidth), "qnn::classifier: PE*InWidth has to be at most AP_INT_MAX_W");

  ap_int<ScoreWidth> best = 0;
  Counter<Classes> winner = 0;
  // Invariant: winner is the lowest class below nf*PE with the greatest score of them, best is that score.
  for (unsigned nf = 0; nf < Classes / PE; ++nf) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<PE * InWidth> x = in.read();
    // Within a beat the comparisons form a chain of PE that only feeds forward; one comparison lies in the loop.
    ap_int<ScoreWidth> beat_best = 0;
    Counter<PE> beat_winner = 0;
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS unroll  // PE classes at once
      // Modulo 2^ScoreWidth; exact, because the score fits.
      const ap_int<ScoreWidth> value = number<InWidth, InSigned>(x, p);
      const ap_int<ScoreWidth> score = slopes[nf][p] * value + biases[nf][p];
      if (p == 0 || score > beat_best) {
        beat_best = score;
        beat_winner = p;
      }
    }
    if (nf == 0 || beat_best > best) {
      best = beat_best;
      winner = nf * PE + beat_winner;
    }
  }
  out.write(ap_uint<32>(winner));
}

template <unsigned Classes, unsigned InWidth, unsigned ScoreWidth>
void classifier_ranks(hls::stream<ap_uint<InWidth> >& in, hls::stream<ap_uint<32> >& out,
                      const ap_uint<ScoreWidth> (&ranks)[Classes << InWidth]) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(Classes >= 1, "qnn::classifier_ranks: Classes has to be at least 1");
  static_assert(InWidth >= 1 && InWidth <= 24, "qnn::classifier_ranks: InWidth has to be in 1..24");
  static_assert(ScoreWidth >= 1 && ScoreWidth <= 64, "qnn::classifier_ranks: ScoreWidth has to be in 1..64");

  ap_uint<ScoreWidth> best = 0;
  Counter<Classes> winner = 0;
  // Invariant: winner is the lowest class below `label` with the greatest rank of them, best is that rank.
  for (unsigned label = 0; label < Classes; ++label) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<InWidth> x = in.read();
    const ap_uint<ScoreWidth> rank = ranks[(label << InWidth) | code<InWidth>(x, 0)];
    if (label == 0 || rank > best) {
      best = rank;
      winner = label;
    }
  }
  out.write(ap_uint<32>(winner));
}

}  // namespace qnn
