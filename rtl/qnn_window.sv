// SPDX-License-Identifier: Apache-2.0
//
// Sliding window over a stream of frames (im2col), with padding and stride.
//
//   for oh, ow (row-major), kh, kw, cf:
//     m = x[oh*StrideHeight+kh-PadTop][ow*StrideWidth+kw-PadLeft][cf], the padding value outside the map
//   OH = (MapHeight+PadTop+PadBottom-KernelHeight)/StrideHeight + 1, OW likewise
//
// Contract: in: MapHeight x MapWidth pixels of CF = Channels/Lanes beats, frames back to back; out: OH*OW windows of
// KernelHeight*KernelWidth*CF beats in the order above. One beat per cycle while data is there, across windows, rows
// and frames without bubble; latency 3 cycles from a written word to its beat. Outputs are registers;
// s_axis_tready depends on registers alone. Reset starts a new frame.
//
// How: one circular buffer over the endless linear sequence of words. `base` is the address of the window's top-left
// word, `fill` the number of words written beyond it; both may refer to virtual words: with padding the first window
// starts before word 0. A word is written while fill < Depth, that is, while it overwrites only words before the
// window. A beat is emitted when it is padding or fill > offset, its distance from the window's first word. fill is
// signed: rows and columns that no window covers (remainder of the stride) are skipped by moving base past words that
// have not come yet; they are written when they come and nobody reads them. As each pad is smaller than the kernel,
// every window contains a word of the map; hence no step of base passes a word that a later window needs, even where
// the step to the next row is negative (pads on both sides wider than the kernel).
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
module qnn_window #(
    parameter int unsigned Channels     = 1,
    parameter int unsigned Lanes        = 1,
    parameter int unsigned ElemWidth    = 1,
    parameter int unsigned OutElemWidth = 1,
    parameter int unsigned MapHeight    = 4,
    parameter int unsigned MapWidth     = 4,
    parameter int unsigned KernelHeight = 3,
    parameter int unsigned KernelWidth  = 3,
    parameter int unsigned StrideHeight = 1,
    parameter int unsigned StrideWidth  = 1,
    parameter int unsigned PadTop       = 0,
    parameter int unsigned PadBottom    = 0,
    parameter int unsigned PadLeft      = 0,
    parameter int unsigned PadRight     = 0,
    parameter int unsigned Ternary      = 0,
    parameter int unsigned PadCode      = 0,
    parameter int unsigned Depth        = 16
) (
    input  logic                          aclk,
    input  logic                          aresetn,
    input  logic [   Lanes*ElemWidth-1:0] s_axis_tdata,
    input  logic                          s_axis_tvalid,
    output logic                          s_axis_tready,
    output logic [Lanes*OutElemWidth-1:0] m_axis_tdata,
    output logic                          m_axis_tvalid,
    input  logic                          m_axis_tready
);

  localparam int unsigned ChannelFold = Channels / Lanes;
  localparam int unsigned PaddedHeight = MapHeight + PadTop + PadBottom;
  localparam int unsigned PaddedWidth = MapWidth + PadLeft + PadRight;
  localparam int unsigned OutHeight = (PaddedHeight - KernelHeight) / StrideHeight + 1;
  localparam int unsigned OutWidth = (PaddedWidth - KernelWidth) / StrideWidth + 1;
  localparam int unsigned MinDepth = ((KernelHeight - 1) * MapWidth + KernelWidth) * ChannelFold;

  if (Lanes < 1 || Channels % Lanes != 0) begin : g_error_lanes
    $error("qnn_window: Lanes=%0d does not divide Channels=%0d", Lanes, Channels);
  end
  if (Ternary > 1) begin : g_error_ternary
    $error("qnn_window: Ternary=%0d is neither 0 nor 1", Ternary);
  end
  if (Ternary == 1 && (ElemWidth != 1 || OutElemWidth != 2)) begin : g_error_ternary_width
    $error("qnn_window: Ternary needs ElemWidth=1 and OutElemWidth=2, not %0d and %0d", ElemWidth, OutElemWidth);
  end
  if (Ternary == 0 && ElemWidth != OutElemWidth) begin : g_error_width
    $error("qnn_window: OutElemWidth=%0d differs from ElemWidth=%0d", OutElemWidth, ElemWidth);
  end
  if (KernelHeight < 1 || KernelHeight > PaddedHeight) begin : g_error_kernel_height
    $error("qnn_window: KernelHeight=%0d is outside 1..%0d, the padded map", KernelHeight, PaddedHeight);
  end
  if (KernelWidth < 1 || KernelWidth > PaddedWidth) begin : g_error_kernel_width
    $error("qnn_window: KernelWidth=%0d is outside 1..%0d, the padded map", KernelWidth, PaddedWidth);
  end
  if (StrideHeight < 1 || StrideWidth < 1) begin : g_error_stride
    $error("qnn_window: StrideHeight=%0d and StrideWidth=%0d have to be at least 1", StrideHeight, StrideWidth);
  end
  if (PadTop >= KernelHeight || PadBottom >= KernelHeight) begin : g_error_pad_rows
    $error("qnn_window: PadTop=%0d and PadBottom=%0d have to be below KernelHeight=%0d", PadTop, PadBottom,
           KernelHeight);
  end
  if (PadLeft >= KernelWidth || PadRight >= KernelWidth) begin : g_error_pad_columns
    $error("qnn_window: PadLeft=%0d and PadRight=%0d have to be below KernelWidth=%0d", PadLeft, PadRight,
           KernelWidth);
  end
  if (Depth < MinDepth) begin : g_error_depth
    $error("qnn_window: Depth=%0d is below the %0d words of one window's span", Depth, MinDepth);
  end

  // Distances in words, signed. Lead: virtual words before word 0 of a frame. Next*: from a window's first word to
  // the next window's, within a row, at the end of a row, at the end of a frame.
  localparam int Lead = (int'(PadTop) * int'(MapWidth) + int'(PadLeft)) * int'(ChannelFold);
  localparam int NextWindow = int'(StrideWidth) * int'(ChannelFold);
  localparam int NextRow = (int'(StrideHeight) * int'(MapWidth) - (int'(OutWidth) - 1) * int'(StrideWidth)) *
      int'(ChannelFold);
  localparam int NextFrame = (int'(MapHeight) * int'(MapWidth) -
      (int'(OutHeight) - 1) * int'(StrideHeight) * int'(MapWidth) -
      (int'(OutWidth) - 1) * int'(StrideWidth)) * int'(ChannelFold);
  // From the last word of a kernel row to the first one of the next kernel row.
  localparam int NextKernelRow = (int'(MapWidth) - int'(KernelWidth)) * int'(ChannelFold) + 1;

  // Addresses are modulo Depth; the second remainder makes negative distances positive.
  localparam int DepthInt = int'(Depth);
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int StartModulo = (DepthInt - Lead % DepthInt) % DepthInt;
  localparam int WindowModulo = NextWindow % DepthInt;
  localparam int RowModulo = (NextRow % DepthInt + DepthInt) % DepthInt;
  localparam int FrameModulo = (NextFrame % DepthInt + DepthInt) % DepthInt;
  localparam int KernelRowModulo = (NextKernelRow % DepthInt + DepthInt) % DepthInt;

  // fill lies between minus the longest step and Depth plus the longest step back.
  localparam int LongestRow = (NextWindow > NextRow) ? NextWindow : NextRow;
  localparam int Longest = (LongestRow > NextFrame) ? LongestRow : NextFrame;
  localparam int ShortestRow = (NextRow < 0) ? NextRow : 0;
  localparam int Shortest = (ShortestRow < NextFrame) ? ShortestRow : NextFrame;
  localparam int FillTop = DepthInt - Shortest;
  localparam int unsigned FillWidth = $clog2(((Longest > FillTop) ? Longest : FillTop) + 1) + 1;
  // Declared signed, so that each comparison below is one without relying on what a size cast does to the sign.
  localparam logic signed [FillWidth-1:0] FillLimit = FillWidth'(DepthInt);
  localparam logic signed [FillWidth-1:0] FillLead = FillWidth'(Lead);

  localparam int unsigned FoldCountWidth = (ChannelFold > 1) ? $clog2(ChannelFold) : 1;
  localparam int unsigned KernelColumnWidth = (KernelWidth > 1) ? $clog2(KernelWidth) : 1;
  localparam int unsigned KernelRowWidth = (KernelHeight > 1) ? $clog2(KernelHeight) : 1;
  localparam int unsigned OutColumnWidth = (OutWidth > 1) ? $clog2(OutWidth) : 1;
  localparam int unsigned OutRowWidth = (OutHeight > 1) ? $clog2(OutHeight) : 1;

  // a + b modulo Depth, for a, b < Depth
  function automatic logic [AddressWidth-1:0] add_modulo(input logic [AddressWidth-1:0] a,
                                                         input logic [AddressWidth-1:0] b);
    logic [AddressWidth:0] sum;
    sum = {1'b0, a} + {1'b0, b};
    return (sum >= (AddressWidth + 1)'(Depth)) ? sum[AddressWidth-1:0] - AddressWidth'(Depth) : sum[AddressWidth-1:0];
  endfunction

  logic [     FoldCountWidth-1:0] fold;
  logic [  KernelColumnWidth-1:0] kernel_column;
  logic [     KernelRowWidth-1:0] kernel_row;
  logic [     OutColumnWidth-1:0] out_column;
  logic [        OutRowWidth-1:0] out_row;
  logic                           fold_last;
  logic                           kernel_column_last;
  logic                           kernel_row_last;
  logic                           out_column_last;
  logic                           out_row_last;
  logic                           pixel_done;
  logic                           kernel_line_done;
  logic                           window_done;
  logic                           line_done;
  logic                           frame_done;

  logic        [AddressWidth-1:0] write_address;
  logic        [AddressWidth-1:0] read_address;
  logic        [AddressWidth-1:0] base;
  logic        [AddressWidth-1:0] next_base;
  logic        [AddressWidth-1:0] base_step;
  logic signed [   FillWidth-1:0] fill;
  logic signed [   FillWidth-1:0] fill_step;
  logic signed [   FillWidth-1:0] offset;

  logic                           padding;
  logic                           started;
  logic                           available;
  logic                           accept;
  logic                           emit_beat;
  logic                           fetch_enable;
  logic                           output_enable;

  // Second stage: the memory's read register
  logic [    Lanes*ElemWidth-1:0] fetched_data;
  logic                           fetched_padding;
  logic                           fetched_valid;
  logic [ Lanes*OutElemWidth-1:0] element_data;

  assign fold_last          = fold == FoldCountWidth'(ChannelFold - 1);
  assign kernel_column_last = kernel_column == KernelColumnWidth'(KernelWidth - 1);
  assign kernel_row_last    = kernel_row == KernelRowWidth'(KernelHeight - 1);
  assign out_column_last    = out_column == OutColumnWidth'(OutWidth - 1);
  assign out_row_last       = out_row == OutRowWidth'(OutHeight - 1);
  assign pixel_done         = emit_beat && fold_last;
  assign kernel_line_done   = pixel_done && kernel_column_last;
  assign window_done        = kernel_line_done && kernel_row_last;
  assign line_done          = window_done && out_column_last;
  assign frame_done         = line_done && out_row_last;

  assign s_axis_tready = fill < FillLimit;
  assign accept        = s_axis_tvalid && s_axis_tready;
  // The padding before a frame waits for the frame's first word: an idle module holds nothing of a frame to come.
  assign started       = out_row != '0 || out_column != '0 || fill > FillLead;
  assign available     = padding ? started : (fill > offset);
  assign output_enable = !m_axis_tvalid || m_axis_tready;
  assign fetch_enable  = !fetched_valid || output_enable;
  assign emit_beat     = available && fetch_enable;

  always_comb begin : step
    base_step = AddressWidth'(WindowModulo);
    fill_step = FillWidth'(NextWindow);
    if (out_column_last) begin
      base_step = AddressWidth'(RowModulo);
      fill_step = FillWidth'(NextRow);
      if (out_row_last) begin
        base_step = AddressWidth'(FrameModulo);
        fill_step = FillWidth'(NextFrame);
      end
    end
  end

  assign next_base = add_modulo(base, base_step);

  always_ff @(posedge aclk) begin : position
    if (!aresetn) begin
      fold          <= '0;
      kernel_column <= '0;
      kernel_row    <= '0;
      out_column    <= '0;
      out_row       <= '0;
    end else begin
      if (emit_beat) fold <= fold_last ? '0 : fold + 1'b1;
      if (pixel_done) kernel_column <= kernel_column_last ? '0 : kernel_column + 1'b1;
      if (kernel_line_done) kernel_row <= kernel_row_last ? '0 : kernel_row + 1'b1;
      if (window_done) out_column <= out_column_last ? '0 : out_column + 1'b1;
      if (line_done) out_row <= out_row_last ? '0 : out_row + 1'b1;
    end
  end

  always_ff @(posedge aclk) begin : addresses
    if (!aresetn) begin
      write_address <= '0;
      base          <= AddressWidth'(StartModulo);
      read_address  <= AddressWidth'(StartModulo);
      offset        <= '0;
      fill          <= FillLead;
    end else begin
      if (accept) write_address <= (write_address == AddressWidth'(Depth - 1)) ? '0 : write_address + 1'b1;

      fill <= fill + (accept ? FillWidth'(1) : '0) - (window_done ? fill_step : '0);

      if (window_done) begin
        base         <= next_base;
        read_address <= next_base;
        offset       <= '0;
      end else if (kernel_line_done) begin
        read_address <= add_modulo(read_address, AddressWidth'(KernelRowModulo));
        offset       <= offset + FillWidth'(NextKernelRow);
      end else if (emit_beat) begin
        read_address <= (read_address == AddressWidth'(Depth - 1)) ? '0 : read_address + 1'b1;
        offset       <= offset + FillWidth'(1);
      end
    end
  end

  // Whether the current pixel lies outside the map
  logic outside_rows;
  logic outside_columns;
  assign padding = outside_rows || outside_columns;

  qnn_window_edge #(
      .Size  (MapHeight),
      .Before(PadTop),
      .After (PadBottom),
      .Stride(StrideHeight)
  ) rows (
      .aclk   (aclk),
      .aresetn(aresetn),
      .clear  (frame_done),
      .advance(line_done),
      .rewind (window_done),
      .step   (kernel_line_done),
      .outside(outside_rows)
  );

  qnn_window_edge #(
      .Size  (MapWidth),
      .Before(PadLeft),
      .After (PadRight),
      .Stride(StrideWidth)
  ) columns (
      .aclk   (aclk),
      .aresetn(aresetn),
      .clear  (line_done),
      .advance(window_done),
      .rewind (kernel_line_done),
      .step   (pixel_done),
      .outside(outside_columns)
  );

  // A word is read only after the cycle that wrote it, and the word under the write port lies before the window: the
  // two ports never meet at an address whose content matters.
  logic [Lanes*ElemWidth-1:0] memory[Depth];

  always_ff @(posedge aclk) begin : buffer
    if (accept) memory[write_address] <= s_axis_tdata;
    if (emit_beat) fetched_data <= memory[read_address];
  end

  always_ff @(posedge aclk) begin : pipeline
    if (!aresetn) begin
      fetched_valid <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (fetch_enable) fetched_valid <= available;
      if (output_enable) m_axis_tvalid <= fetched_valid;
    end
  end

  for (genvar lane = 0; lane < Lanes; lane++) begin : g_lane
    if (Ternary != 0) begin : g_ternary
      assign element_data[lane*2+:2] = fetched_padding ? 2'b00 : {!fetched_data[lane], 1'b1};
    end else begin : g_plain
      assign element_data[lane*ElemWidth+:ElemWidth] =
          fetched_padding ? ElemWidth'(PadCode) : fetched_data[lane*ElemWidth+:ElemWidth];
    end
  end

  always_ff @(posedge aclk) begin : data
    if (emit_beat) fetched_padding <= padding;
    if (output_enable) m_axis_tdata <= element_data;
  end

endmodule
