// SPDX-License-Identifier: Apache-2.0
//
// Threshold unit: turns accumulators into codes.
//
//   y = OutBase + #{i : x >= T[channel][i]}
//
// Contract: in and out: Channels/PE beats a vector, PE p of beat nf is channel nf*PE+p; order kept. A call takes
// Vectors vectors, one frame: Vectors*Channels/PE beats in and out, an iteration each. A channel's thresholds need no
// order.
//
// thresholds[nf][p][i]: step i of channel nf*PE + p, two's complement if InSigned is 1, else unsigned.
//
// PE:             channels a beat, divides Channels
// Channels:       channels of a vector, >= 1
// InWidth:        bits of an input element, 1..32
// InSigned:       1 = inputs and thresholds are two's complement, 0 = unsigned
// Steps:          thresholds a channel, >= 1
// ThresholdWidth: bits of a threshold, 1..33; may be wider than InWidth (always/never fires)
// OutWidth:       bits of a code, 1..32
// OutBase:        code below all thresholds; OutBase..OutBase+Steps fits OutWidth bits (two's complement if negative)
// Vectors:        vectors (pixels) a frame, >= 1
#pragma once

#include "popcount.hpp"

namespace qnn {

template <unsigned PE, unsigned Channels, unsigned InWidth, unsigned InSigned, unsigned Steps, unsigned ThresholdWidth,
          unsigned OutWidth, int OutBase, unsigned Vectors>
void threshold(hls::stream<ap_uint<PE * InWidth> >& in, hls::stream<ap_uint<PE * OutWidth> >& out,
               const ap_uint<ThresholdWidth> (&thresholds)[Channels / PE][PE][Steps]) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
#pragma HLS array_partition variable = thresholds complete dim = 2  // every PE compares in each iteration
#pragma HLS array_partition variable = thresholds complete dim = 3  // with all steps of its channel
  static_assert(PE >= 1 && Channels >= 1 && Channels % PE == 0, "qnn::threshold: PE has to divide Channels");
  static_assert(InWidth >= 1 && InWidth <= 32, "qnn::threshold: InWidth has to be in 1..32");
  static_assert(ThresholdWidth >= 1 && ThresholdWidth <= 33, "qnn::threshold: ThresholdWidth has to be in 1..33");
  static_assert(Steps >= 1, "qnn::threshold: Steps has to be at least 1");
  static_assert(OutWidth >= 1 && OutWidth <= 32, "qnn::threshold: OutWidth has to be in 1..32");
  static_assert(OutBase < 0 ? OutBase >= -(1LL << (OutWidth - 1)) &&
                                  OutBase + static_cast<long long>(Steps) < (1LL << (OutWidth - 1))
                            : OutBase + static_cast<long long>(Steps) < (1LL << OutWidth),
                "qnn::threshold: the codes OutBase..OutBase+Steps have to fit OutWidth bits");
  static_assert(Vectors >= 1, "qnn::threshold: Vectors has to be at least 1");
  static_assert(beat_fits(PE * InWidth), "qnn::threshold: PE*InWidth has to be at most AP_INT_MAX_W");
  constexpr unsigned folds = Channels / PE;

  Counter<folds> nf = 0;
  // Invariant: i = vectors done * folds + nf.
  for (unsigned i = 0; i < Vectors * folds; ++i) {
#pragma HLS pipeline II = 1 style = frp  // a beat a cycle; what is finished never waits for input
    const ap_uint<PE * InWidth> x = in.read();
    ap_uint<PE * OutWidth> y = 0;
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS unroll  // PE channels at once
      const Signed<InWidth + 1> value = number<InWidth, InSigned>(x, p);
      ap_uint<Steps> fires = 0;
      for (unsigned s = 0; s < Steps; ++s) {
#pragma HLS unroll  // all steps at once
        const Signed<ThresholdWidth + 1> limit = number<ThresholdWidth, InSigned>(thresholds[nf][p][s], 0);
        place<1>(fires, s, value >= limit ? 1 : 0);
      }
      // Modulo 2^OutWidth; exact, because the codes fit.
      const Signed<34> fired = Signed<34>(popcount<Steps>(fires));
      place<OutWidth>(y, p, Signed<34>(fired + OutBase));
    }
    out.write(y);
    nf = next(nf, nf == folds - 1);
  }
}

}  // namespace qnn
