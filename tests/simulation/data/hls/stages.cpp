// SPDX-License-Identifier: Apache-2.0
// The stages of the summing core: pairs, split, quads, sum; see qnn_core.sv. As hls/host/stages.cpp of a build.
#include <ap_int.h>

#include <cstdint>

#include "stage_table.hpp"
#include "summing.hpp"

namespace {

using Frame = const std::uint32_t* const*;
using OutFrame = std::uint32_t* const*;

void pairs(Frame in, OutFrame out) {
  for (unsigned i = 0; i < kBeats; i++) {
    const ap_uint<32> x = in[0][i];
    ap_uint<18> y;
    y.range(8, 0) = add(x.range(7, 0), x.range(15, 8));
    y.range(17, 9) = add(x.range(23, 16), x.range(31, 24));
    out[0][i] = y.to_uint();
  }
}

void split(Frame in, OutFrame out) {
  ap_uint<160> left = 0;
  for (unsigned i = 0; i < kBeats; i++) {
    left.range(9 * i + 8, 9 * i) = in[0][i] & (defect(2) ? 0x1FE : 0x1FF);
    out[1][i] = in[0][i] >> 9;
  }
  for (unsigned i = 0; i < 5; i++) out[0][i] = static_cast<std::uint32_t>(left.range(32 * i + 31, 32 * i).to_uint());
}

void quads(Frame in, OutFrame out) {
  ap_uint<160> left = 0;
  for (unsigned i = 0; i < 5; i++) left.range(32 * i + 31, 32 * i) = in[0][i];
  for (unsigned i = 0; i < kBeats; i++) out[0][i] = add(left.range(9 * i + 8, 9 * i), in[1][i]);
}

void sum(Frame in, OutFrame out) {
  out[0][0] = 0;
  for (unsigned i = 0; i < kBeats; i++) out[0][0] += in[0][i];
}

const qnn::Port kInput[] = {{"input", 32, kBeats}};
const qnn::Port kPairs[] = {{"pairs", defect(4) ? 20u : 18u, kBeats}};
const qnn::Port kHalves[] = {{"left", 135, 1}, {"right", 9, kBeats}};
const qnn::Port kQuads[] = {{"quads", 10, kBeats}};
const qnn::Port kSum[] = {{"sum", 32, 1}};

}  // namespace

namespace qnn {

const Stage stages[] = {{"pairs", 1, 1, kInput, kPairs, pairs},
                        {"split", 1, 2, kPairs, kHalves, split},
                        {defect(3) ? "none" : "quads", 2, 1, kHalves, kQuads, quads},
                        {"sum", 1, 1, kQuads, kSum, sum}};
const unsigned n_stages = 4;

}  // namespace qnn
