// SPDX-License-Identifier: Apache-2.0
//
// Sliding window over a frame (im2col), with padding and stride.
//
//   for oh, ow (row-major), kh, kw, cf:
//     m = x[oh*StrideHeight+kh-PadTop][ow*StrideWidth+kw-PadLeft][cf], the padding value outside the map
//   OH = (MapHeight+PadTop+PadBottom-KernelHeight)/StrideHeight + 1, OW likewise
//
// Contract: in: MapHeight x MapWidth pixels of CF = Channels/Lanes beats; out: OH*OW windows of
// KernelHeight*KernelWidth*CF beats in the order above. A call takes one frame. Writing and reading of the buffer go on
// in the same iteration, and a beat is sent as soon as its word is there, so that no frame is ever stored whole. A call
// takes at most beats in + beats out iterations; where Depth holds, besides a window's span, the rows it advances by,
// about max(beats in, beats out + that span). The buffer starts empty in every call; the RTL module, which knows no
// calls, lets frames overlap in it.
//
// How: one circular buffer over the linear sequence of words. `base` is the address of the window's top-left word,
// `fill` the number of words written beyond it; both may refer to virtual words: with padding the first window starts
// before word 0. A word is written while fill < Depth, that is, while it overwrites only words before the window. A
// beat is emitted when it is padding or fill > offset, its distance from the window's first word. fill is signed: rows
// and columns that no window covers (remainder of the stride) are skipped by moving base past words that have not come
// yet; they are written when they come and nobody reads them. As each pad is smaller than the kernel, every window
// contains a word of the map; hence no step of base passes a word that a later window needs, even where the step to the
// next row is negative (pads on both sides wider than the kernel).
//
// For the tool: the loop has no pipeline style, since free-running pipelines take no non-blocking reads (message HLS
// 200-1964 of UG1448), and needs none, since it never waits for input. No dependence of `memory` is declared away: the
// word written in one iteration may be read in the next one, and the schedule has to keep that. C/RTL co-simulation of
// an ap_ctrl_none core with non-blocking reads "is not guaranteed to complete" (UG1399).
//
// Channels:                   channels of a pixel, >= 1
// Lanes:                      channels a beat, divides Channels
// ElemWidth:                  bits of an input element, >= 1
// OutElemWidth:               bits of an output element: 2 with Ternary, else ElemWidth
// MapHeight, MapWidth:        pixels, >= 1
// KernelHeight, KernelWidth:  pixels, >= 1, at most the padded map
// StrideHeight, StrideWidth:  pixels, >= 1
// PadTop, PadBottom:          rows of padding, 0..KernelHeight-1
// PadLeft, PadRight:          columns of padding, 0..KernelWidth-1
// Ternary:                    1 = elements are bipolar bits and leave as two's complement -1/+1, padding as 0
// PadCode:                    padding value of an element, its low ElemWidth bits (without Ternary)
// Depth:                      words of the buffer, >= ((KernelHeight-1)*MapWidth+KernelWidth)*Channels/Lanes
#pragma once

#include <cassert>

#include "beat.hpp"

namespace qnn {

// A beat of the window from a word of the map: the padding code, and bits to -1/+1 with Ternary.
template <unsigned Lanes, unsigned ElemWidth, unsigned OutElemWidth, unsigned Ternary, unsigned PadCode>
struct WindowBeat {
  static ap_uint<Lanes * OutElemWidth> of(const ap_uint<Lanes * ElemWidth>& word, bool padding) {
#pragma HLS inline  // a choice of wires
    return padding ? filled() : word;
  }
  static ap_uint<Lanes * OutElemWidth> filled() {
#pragma HLS inline  // a constant
    ap_uint<Lanes * OutElemWidth> beat = 0;
    for (unsigned lane = 0; lane < Lanes; ++lane) {
#pragma HLS unroll  // a constant
      place<ElemWidth>(beat, lane, Unsigned<32>(PadCode));
    }
    return beat;
  }
};

template <unsigned Lanes, unsigned ElemWidth, unsigned OutElemWidth, unsigned PadCode>
struct WindowBeat<Lanes, ElemWidth, OutElemWidth, 1, PadCode> {
  static ap_uint<Lanes * OutElemWidth> of(const ap_uint<Lanes * ElemWidth>& word, bool padding) {
#pragma HLS inline  // a choice of wires
    ap_uint<Lanes * OutElemWidth> beat = 0;
    if (!padding) {
      for (unsigned lane = 0; lane < Lanes; ++lane) {
#pragma HLS unroll  // wires: 0 becomes 11, 1 becomes 01
        place<OutElemWidth>(beat, lane, Unsigned<2>(code<ElemWidth>(word, lane) != 0 ? 1 : 3));
      }
    }
    return beat;
  }
};

template <unsigned Channels, unsigned Lanes, unsigned ElemWidth, unsigned OutElemWidth, unsigned MapHeight,
          unsigned MapWidth, unsigned KernelHeight, unsigned KernelWidth, unsigned StrideHeight, unsigned StrideWidth,
          unsigned PadTop, unsigned PadBottom, unsigned PadLeft, unsigned PadRight, unsigned Ternary, unsigned PadCode,
          unsigned Depth>
void window(hls::stream<ap_uint<Lanes * ElemWidth> >& in, hls::stream<ap_uint<Lanes * OutElemWidth> >& out) {
#pragma HLS inline  // the loop belongs to the stage that calls it: a process of the dataflow region by itself
  static_assert(Lanes >= 1 && Channels >= 1 && Channels % Lanes == 0, "qnn::window: Lanes has to divide Channels");
  static_assert(ElemWidth >= 1 && ElemWidth <= 32, "qnn::window: ElemWidth has to be in 1..32");
  static_assert(Ternary <= 1, "qnn::window: Ternary has to be 0 or 1");
  static_assert(Ternary == 0 || (ElemWidth == 1 && OutElemWidth == 2),
                "qnn::window: Ternary needs ElemWidth=1 and OutElemWidth=2");
  static_assert(Ternary == 1 || ElemWidth == OutElemWidth,
                "qnn::window: OutElemWidth has to be ElemWidth without Ternary");
  static_assert(KernelHeight >= 1 && KernelHeight <= MapHeight + PadTop + PadBottom,
                "qnn::window: KernelHeight has to be in 1..the height of the padded map");
  static_assert(KernelWidth >= 1 && KernelWidth <= MapWidth + PadLeft + PadRight,
                "qnn::window: KernelWidth has to be in 1..the width of the padded map");
  static_assert(StrideHeight >= 1 && StrideWidth >= 1, "qnn::window: the strides have to be at least 1");
  static_assert(PadTop < KernelHeight && PadBottom < KernelHeight,
                "qnn::window: PadTop and PadBottom have to be below KernelHeight");
  static_assert(PadLeft < KernelWidth && PadRight < KernelWidth,
                "qnn::window: PadLeft and PadRight have to be below KernelWidth");
  static_assert(Depth >= ((KernelHeight - 1) * MapWidth + KernelWidth) * (Channels / Lanes),
                "qnn::window: Depth has to hold the words of one window's span");
  static_assert(beat_fits(Lanes * OutElemWidth), "qnn::window: Lanes*OutElemWidth has to be at most AP_INT_MAX_W");
  constexpr int folds = Channels / Lanes;
  constexpr int out_height = (MapHeight + PadTop + PadBottom - KernelHeight) / StrideHeight + 1;
  constexpr int out_width = (MapWidth + PadLeft + PadRight - KernelWidth) / StrideWidth + 1;
  constexpr unsigned in_beats = MapHeight * MapWidth * folds;
  constexpr unsigned out_beats = out_height * out_width * KernelHeight * KernelWidth * folds;

  // Distances in words. lead: virtual words before word 0 of the frame. next_*: from a window's first word to the next
  // window's, within a row and at the end of a row. next_kernel_row: from the last word of a kernel row to the next
  // row.
  constexpr int depth = Depth;
  constexpr int map_width = MapWidth;
  constexpr int lead = static_cast<int>(PadTop * MapWidth + PadLeft) * folds;
  constexpr int next_window = static_cast<int>(StrideWidth) * folds;
  constexpr int next_row =
      (static_cast<int>(StrideHeight) * map_width - (out_width - 1) * static_cast<int>(StrideWidth)) * folds;
  constexpr int next_kernel_row = (map_width - static_cast<int>(KernelWidth)) * folds + 1;
  // Addresses are modulo depth; the second remainder makes negative distances positive.
  constexpr int start_modulo = (depth - lead % depth) % depth;
  constexpr int window_modulo = next_window % depth;
  constexpr int row_modulo = (next_row % depth + depth) % depth;
  constexpr int kernel_row_modulo = (next_kernel_row % depth + depth) % depth;

  ap_uint<Lanes * ElemWidth> memory[Depth];
#pragma HLS bind_storage variable = memory type = ram_s2p  // a write and a read port; the tool chooses what holds it

  Counter<Depth> write_address = 0;
  Counter<2 * Depth> base = start_modulo;
  Counter<2 * Depth> read_address = start_modulo;
  // fill and offset lie within plus and minus the frame and its padding.
  using Distance = Signed<bits_for((MapHeight + PadTop + KernelHeight) * (MapWidth + KernelWidth) * folds + Depth) + 2>;
  Distance fill = lead;
  Distance offset = 0;
  Counter<folds> fold = 0;
  Counter<KernelWidth> kernel_column = 0;
  Counter<KernelHeight> kernel_row = 0;
  Counter<out_width> out_column = 0;
  Counter<out_height> out_row = 0;
  Counter<in_beats> taken = 0;
  Counter<out_beats> sent = 0;
  // Top-left corner of the window in the padded map.
  Counter<MapHeight + PadTop + PadBottom + StrideHeight> top = 0;
  Counter<MapWidth + PadLeft + PadRight + StrideWidth> left = 0;

  // Invariant: `taken` words have been written, the last one before write_address; `sent` beats have left, the next one
  // is (out_row, out_column, kernel_row, kernel_column, fold), read at read_address = base + offset modulo depth.
  while (taken != in_beats || sent != out_beats) {
#pragma HLS pipeline II = 1  // a word in and a beat out a cycle; neither waits
#pragma HLS loop_tripcount min = in_beats max = in_beats + out_beats  // for the report alone
    const int row = static_cast<int>(top + kernel_row);
    const int column = static_cast<int>(left + kernel_column);
    const bool padding = row < static_cast<int>(PadTop) || row >= static_cast<int>(PadTop + MapHeight) ||
                         column < static_cast<int>(PadLeft) || column >= static_cast<int>(PadLeft + MapWidth);
    // The padding before a frame waits for the frame's first word.
    const bool started = out_row != 0 || out_column != 0 || fill > lead;
    const bool emits = sent != out_beats && (padding ? started : fill > offset);
    // Words behind the last window are taken as they come.
    const bool space = taken != in_beats && (sent == out_beats || fill < depth);

    // A word that has come is taken, one that has not delays no beat. Only where nothing else is to be done may C
    // simulation wait: it then reports the missing word instead of turning for ever.
    ap_uint<Lanes * ElemWidth> word = 0;
    bool takes = false;
#ifdef __SYNTHESIS__
    if (space) takes = in.read_nb(word);
#else
    takes = space && (!emits || !in.empty());
    if (takes) word = in.read();
    assert(emits || takes);  // with a frame's words there, no iteration stands still
#endif

    using Beat = WindowBeat<Lanes, ElemWidth, OutElemWidth, Ternary, PadCode>;
    if (emits) out.write(Beat::of(memory[read_address], padding));
    // After the read: a word is read only after the iteration that wrote it, and the word that is overwritten lies
    // before the window.
    if (takes) memory[write_address] = word;

    const bool pixel_done = emits && fold == folds - 1;
    const bool kernel_line_done = pixel_done && kernel_column == KernelWidth - 1;
    const bool window_done = kernel_line_done && kernel_row == KernelHeight - 1;
    const bool line_done = window_done && out_column == out_width - 1;
    if (takes) {
      write_address = next(write_address, write_address == Depth - 1);
      ++taken;
      ++fill;
    }
    if (emits) ++sent;
    if (window_done) {
      base += line_done ? row_modulo : window_modulo;
      if (base >= Depth) base -= Depth;
      read_address = base;
      fill -= line_done ? next_row : next_window;
      offset = 0;
    } else if (kernel_line_done) {
      read_address += kernel_row_modulo;
      if (read_address >= Depth) read_address -= Depth;
      offset += next_kernel_row;
    } else if (emits) {
      read_address = next(read_address, read_address == Depth - 1);
      ++offset;
    }
    if (emits) fold = next(fold, pixel_done);
    if (pixel_done) kernel_column = next(kernel_column, kernel_line_done);
    if (kernel_line_done) kernel_row = next(kernel_row, window_done);
    if (window_done) {
      out_column = next(out_column, line_done);
      if (line_done) {
        left = 0;
      } else {
        left += StrideWidth;
      }
    }
    if (line_done) {
      ++out_row;
      top += StrideHeight;
    }
  }
}

}  // namespace qnn
