// SPDX-License-Identifier: Apache-2.0
//
// qnn::add on every pair of codes of some types, and qnn::duplicate, each over two frames; prints what is wrong.
#include <cstdint>
#include <cstdio>

#include "add.hpp"
#include "duplicate.hpp"

static int n_wrong = 0;

static std::int64_t value(std::int64_t code, unsigned width, unsigned kind) {
  if (kind == 2) return code != 0 ? 1 : -1;
  return kind == 1 && (code >> (width - 1)) != 0 ? code - (std::int64_t{1} << width) : code;
}

template <unsigned Lanes, unsigned Width0, unsigned Kind0, unsigned Width1, unsigned Kind1, unsigned OutWidth>
static void add() {
  constexpr unsigned pairs = 1u << (Width0 + Width1);
  constexpr unsigned frames = 2;
  hls::stream<ap_uint<Lanes * Width0> > in0;
  hls::stream<ap_uint<Lanes * Width1> > in1;
  hls::stream<ap_uint<Lanes * OutWidth> > out;
  const auto pair = [](unsigned beat, unsigned lane) { return (beat + 7 * lane) % pairs; };
  for (unsigned beat = 0; beat < frames * pairs; ++beat) {
    ap_uint<Lanes * Width0> a = 0;
    ap_uint<Lanes * Width1> b = 0;
    for (unsigned lane = 0; lane < Lanes; ++lane) {
      a.range((lane + 1) * Width0 - 1, lane * Width0) = pair(beat, lane) % (1u << Width0);
      b.range((lane + 1) * Width1 - 1, lane * Width1) = pair(beat, lane) >> Width0;
    }
    in0.write(a);
    in1.write(b);
  }
  for (unsigned frame = 0; frame < frames; ++frame) {
    qnn::add<Lanes, Width0, Kind0, Width1, Kind1, OutWidth, pairs>(in0, in1, out);
    for (unsigned i = 0; i < pairs; ++i) {
      const ap_uint<Lanes * OutWidth> found = out.read();
      for (unsigned lane = 0; lane < Lanes; ++lane) {
        const unsigned codes = pair(frame * pairs + i, lane);
        const std::int64_t sum = value(codes % (1u << Width0), Width0, Kind0) + value(codes >> Width0, Width1, Kind1);
        const ap_uint<OutWidth> expected = sum;
        const ap_uint<OutWidth> got = found.range((lane + 1) * OutWidth - 1, lane * OutWidth);
        if (got != expected && ++n_wrong < 9) {
          std::printf("add<%u, %u, %u, %u, %u, %u>: frame %u, beat %u, lane %u: expected %u, got %u\n", Lanes, Width0,
                      Kind0, Width1, Kind1, OutWidth, frame, i, lane, expected.to_uint(), got.to_uint());
        }
      }
    }
    if (!out.empty() && ++n_wrong < 9) std::printf("add: more than %u beats\n", pairs);
  }
}

static void duplicate() {
  constexpr unsigned beats = 9;
  hls::stream<ap_uint<70> > in, outs[3];
  const auto word = [](unsigned beat) { return ap_uint<70>((ap_uint<70>(beat + 1) << 62) + 1234567 * beat); };
  for (unsigned beat = 0; beat < 2 * beats; ++beat) in.write(word(beat));
  for (unsigned frame = 0; frame < 2; ++frame) {
    qnn::duplicate<70, 3, beats>(in, outs[0], outs[1], outs[2]);
    for (unsigned k = 0; k < 3; ++k) {
      for (unsigned i = 0; i < beats; ++i) {
        if (outs[k].read() != word(frame * beats + i) && ++n_wrong < 9) {
          std::printf("duplicate: frame %u, output %u, beat %u differs\n", frame, k, i);
        }
      }
      if (!outs[k].empty() && ++n_wrong < 9) std::printf("duplicate: output %u has more than %u beats\n", k, beats);
    }
  }
}

int main() {
  add<1, 2, 0, 2, 0, 3>();
  add<3, 1, 2, 3, 1, 4>();
  add<2, 1, 2, 1, 2, 3>();
  add<4, 5, 1, 4, 0, 7>();
  add<33, 2, 0, 1, 2, 4>();
  add<5, 3, 1, 2, 1, 4>();
  duplicate();
  return n_wrong != 0;
}
