// SPDX-License-Identifier: Apache-2.0
//
// Whether the current pixel of a sliding window lies outside the map, along one axis.
//
//   outside = position < Before || position >= Before + Size        position: in the padded map
//
// Contract: outside depends on registers alone and belongs to the current position. At an edge the position moves by the
// first of these that is high: clear (or aresetn low): to 0, where the first window starts; advance: to the start of the
// next window; rewind: back to the start of this window; step: to the next pixel. Without padding outside is constant.
//
// Size:          pixels of the map along the axis, >= 1
// Before, After: pixels of padding
// Stride:        pixels from one window to the next, >= 1
module qnn_window_edge #(
    parameter int unsigned Size   = 4,
    parameter int unsigned Before = 1,
    parameter int unsigned After  = 1,
    parameter int unsigned Stride = 1
) (
    input  logic aclk,
    input  logic aresetn,
    input  logic clear,
    input  logic advance,
    input  logic rewind,
    input  logic step,
    output logic outside
);

  if (Size < 1 || Stride < 1) begin : g_error_size
    $error("qnn_window_edge: Size=%0d and Stride=%0d have to be at least 1", Size, Stride);
  end

  if (Before + After > 0) begin : g_padded
    localparam int unsigned Width = $clog2(Before + Size + After + Stride + 1);
    logic [Width-1:0] position;
    logic [Width-1:0] start;
    logic             too_low;
    logic             too_high;

    always_ff @(posedge aclk) begin : move
      if (!aresetn || clear) begin
        position <= '0;
        start    <= '0;
      end else if (advance) begin
        position <= start + Width'(Stride);
        start    <= start + Width'(Stride);
      end else if (rewind) begin
        position <= start;
      end else if (step) begin
        position <= position + 1'b1;
      end
    end

    if (Before > 0) begin : g_low
      assign too_low = position < Width'(Before);
    end else begin : g_never_low
      assign too_low = 1'b0;
    end
    if (After > 0) begin : g_high
      assign too_high = position >= Width'(Before + Size);
    end else begin : g_never_high
      assign too_high = 1'b0;
    end
    assign outside = too_low || too_high;
  end else begin : g_no_padding
    logic unused;
    assign unused  = &{1'b0, aclk, aresetn, clear, advance, rewind, step};
    assign outside = 1'b0;
  end

endmodule
