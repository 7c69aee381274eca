// SPDX-License-Identifier: Apache-2.0
//
// A frame of a port as words (see stage_table.hpp) into an hls::stream, and out of it.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include <cstdint>

namespace qnn {

template <int Width>
void write_frame(const std::uint32_t* words, unsigned beats, hls::stream<ap_uint<Width>>& stream) {
  for (unsigned beat = 0; beat < beats; ++beat) {
    ap_uint<Width> value = 0;
    for (int low = 0; low < Width; low += 32) {
      const int high = low + 31 < Width ? low + 31 : Width - 1;
      value.range(high, low) = *words++;
    }
    stream.write(value);
  }
}

template <int Width>
void read_frame(hls::stream<ap_uint<Width>>& stream, unsigned beats, std::uint32_t* words) {
  for (unsigned beat = 0; beat < beats; ++beat) {
    const ap_uint<Width> value = stream.read();
    for (int low = 0; low < Width; low += 32) {
      const int high = low + 31 < Width ? low + 31 : Width - 1;
      *words++ = static_cast<std::uint32_t>(value.range(high, low).to_uint());
    }
  }
}

}  // namespace qnn
