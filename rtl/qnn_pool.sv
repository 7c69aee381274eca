// SPDX-License-Identifier: Apache-2.0
//
// Pooling over a window stream: maximum per channel, complemented where the channel's mask bit is set.
//
//   y[channel] = max over positions of x[position][channel],  bitwise complemented if mask[channel]
//
// Complementing a channel's codes before and after the maximum makes it a minimum.
//
// Contract: in: for each output pixel Positions x CF beats, position-major, CF = Channels/PE; out: CF beats a pixel.
// One input beat per cycle; latency 2 cycles from a channel's last position. Outputs are registers; s_axis_tready
// depends combinationally on m_axis_tready. Reset starts a new pixel.
//
// Table word cf: bit p is the mask of channel cf*PE+p. Without InitFile no channel is complemented.
//
// PE:        channels a beat, divides Channels
// Channels:  channels of a pixel, >= 1
// ElemWidth: bits of an element, >= 1
// Signed:    1 = elements are two's complement, 0 = unsigned
// Positions: elements a maximum is taken over, >= 1
// InitFile:  content of the mask table, see qnn_weight_store; "" = no mask
module qnn_pool #(
    parameter int unsigned PE        = 1,
    parameter int unsigned Channels  = 1,
    parameter int unsigned ElemWidth = 1,
    parameter int unsigned Signed    = 0,
    parameter int unsigned Positions = 4,
    parameter              InitFile  = ""
) (
    input  logic                    aclk,
    input  logic                    aresetn,
    input  logic [PE*ElemWidth-1:0] s_axis_tdata,
    input  logic                    s_axis_tvalid,
    output logic                    s_axis_tready,
    output logic [PE*ElemWidth-1:0] m_axis_tdata,
    output logic                    m_axis_tvalid,
    input  logic                    m_axis_tready
);

  if (PE < 1 || Channels < 1 || Channels % PE != 0) begin : g_error_pe
    $error("qnn_pool: PE=%0d does not divide Channels=%0d", PE, Channels);
  end
  if (ElemWidth < 1 || Positions < 1) begin : g_error_size
    $error("qnn_pool: ElemWidth=%0d and Positions=%0d have to be at least 1", ElemWidth, Positions);
  end

  localparam int unsigned Folds = Channels / PE;
  localparam int unsigned FoldWidth = (Folds > 1) ? $clog2(Folds) : 1;

  logic [   FoldWidth-1:0] fold;
  logic                    fold_last;
  logic                    position_first;
  logic                    position_last;
  logic                    accept;
  logic                    update;

  // Second stage
  logic [PE*ElemWidth-1:0] values;
  logic [   FoldWidth-1:0] values_fold;
  logic                    values_valid;
  logic                    values_first;
  logic                    values_last;
  logic [          PE-1:0] mask;
  logic [PE*ElemWidth-1:0] previous;
  logic [PE*ElemWidth-1:0] maxima;
  logic [PE*ElemWidth-1:0] masked;

  assign update        = values_valid && !(values_last && m_axis_tvalid && !m_axis_tready);
  assign s_axis_tready = !values_valid || update;
  assign accept        = s_axis_tvalid && s_axis_tready;

  if (Folds > 1) begin : g_folds
    assign fold_last = fold == FoldWidth'(Folds - 1);
    always_ff @(posedge aclk) begin : folds
      if (!aresetn) fold <= '0;
      else if (accept) fold <= fold_last ? '0 : fold + 1'b1;
    end
  end else begin : g_one_fold
    assign fold      = '0;
    assign fold_last = 1'b1;
  end

  if (Positions > 1) begin : g_positions
    localparam int unsigned PositionWidth = $clog2(Positions);
    logic [PositionWidth-1:0] position;
    assign position_first = position == '0;
    assign position_last  = position == PositionWidth'(Positions - 1);
    always_ff @(posedge aclk) begin : positions
      if (!aresetn) position <= '0;
      else if (accept && fold_last) position <= position_last ? '0 : position + 1'b1;
    end
  end else begin : g_one_position
    logic unused;
    assign unused         = fold_last;
    assign position_first = 1'b1;
    assign position_last  = 1'b1;
  end

  if (InitFile != "") begin : g_mask
    qnn_weight_store #(
        .Width   (PE),
        .Depth   (Folds),
        .InitFile(InitFile),
        .Style   ("auto")
    ) mask_store (
        .aclk   (aclk),
        .enable (accept),
        .address(fold),
        .data   (mask)
    );
  end else begin : g_no_mask
    assign mask = '0;
  end

  // Running maxima, read and written in one cycle (asynchronous read: LUTRAM)
  (* ram_style = "distributed" *)
  logic [PE*ElemWidth-1:0] running[Folds];
  assign previous = running[values_fold];

  for (genvar p = 0; p < PE; p++) begin : g_pe
    logic                 greater;
    logic [ElemWidth-1:0] maximum;
    if (Signed != 0) begin : g_signed
      assign greater = $signed(values[p*ElemWidth+:ElemWidth]) > $signed(previous[p*ElemWidth+:ElemWidth]);
    end else begin : g_unsigned
      assign greater = values[p*ElemWidth+:ElemWidth] > previous[p*ElemWidth+:ElemWidth];
    end
    assign maximum = (values_first || greater) ? values[p*ElemWidth+:ElemWidth] : previous[p*ElemWidth+:ElemWidth];
    assign maxima[p*ElemWidth+:ElemWidth] = maximum;
    assign masked[p*ElemWidth+:ElemWidth] = maximum ^ {ElemWidth{mask[p]}};
  end

  always_ff @(posedge aclk) begin : control
    if (!aresetn) begin
      values_valid  <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (s_axis_tready) values_valid <= s_axis_tvalid;
      if (update && values_last) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
  end

  always_ff @(posedge aclk) begin : data
    if (accept) begin
      values       <= s_axis_tdata;
      values_fold  <= fold;
      values_first <= position_first;
      values_last  <= position_last;
    end
    if (update) running[values_fold] <= maxima;
    if (update && values_last) m_axis_tdata <= masked;
  end

endmodule
