// SPDX-License-Identifier: Apache-2.0
//
// Threshold unit: turns accumulators into codes.
//
//   y = OutBase + #{i : x >= T[channel][i]}
//
// Contract: in and out: Channels/PE beats a pixel, PE p of beat nf is channel nf*PE+p; order kept; one beat per cycle;
// latency 2 cycles. Outputs are registers; s_axis_tready depends combinationally on m_axis_tready. Reset drops the
// beats under way and starts a pixel. A channel's thresholds need no order.
//
// Table word nf: for PE p and step i the threshold at bits [(p*Steps+i)*ThresholdWidth +: ThresholdWidth], signed as
// the input is.
//
// PE:             channels a beat, divides Channels
// Channels:       channels of a pixel, >= 1
// InWidth:        bits of an input element, >= 1
// InSigned:       1 = inputs and thresholds are two's complement, 0 = unsigned
// Steps:          thresholds a channel, >= 1
// ThresholdWidth: bits of a threshold, >= 1; may be wider than InWidth (always/never fires)
// OutWidth:       bits of a code
// OutBase:        code below all thresholds; OutBase..OutBase+Steps fits OutWidth bits (two's complement if negative)
// InitFile:       content of the threshold table, see qnn_weight_store
module qnn_threshold #(
    parameter int unsigned PE             = 1,
    parameter int unsigned Channels       = 1,
    parameter int unsigned InWidth        = 8,
    parameter int unsigned InSigned       = 0,
    parameter int unsigned Steps          = 1,
    parameter int unsigned ThresholdWidth = 8,
    parameter int unsigned OutWidth       = 1,
    parameter int          OutBase        = 0,
    parameter              InitFile       = ""
) (
    input  logic                   aclk,
    input  logic                   aresetn,
    input  logic [ PE*InWidth-1:0] s_axis_tdata,
    input  logic                   s_axis_tvalid,
    output logic                   s_axis_tready,
    output logic [PE*OutWidth-1:0] m_axis_tdata,
    output logic                   m_axis_tvalid,
    input  logic                   m_axis_tready
);

  localparam longint OutMax = longint'(OutBase) + longint'(Steps);
  localparam longint CodeMin = (OutBase < 0) ? -(64'sd1 <<< (OutWidth - 1)) : 64'sd0;
  localparam longint CodeMax = (OutBase < 0) ? (64'sd1 <<< (OutWidth - 1)) - 64'sd1 : (64'sd1 <<< OutWidth) - 64'sd1;

  if (PE < 1 || Channels < 1 || Channels % PE != 0) begin : g_error_pe
    $error("qnn_threshold: PE=%0d does not divide Channels=%0d", PE, Channels);
  end
  if (InWidth < 1 || ThresholdWidth < 1) begin : g_error_width
    $error("qnn_threshold: InWidth=%0d and ThresholdWidth=%0d have to be at least 1", InWidth, ThresholdWidth);
  end
  if (Steps < 1) begin : g_error_steps
    $error("qnn_threshold: Steps=%0d is below 1", Steps);
  end
  if (OutWidth < 1 || OutWidth > 32) begin : g_error_out_width
    $error("qnn_threshold: OutWidth=%0d is outside 1..32", OutWidth);
  end
  if (longint'(OutBase) < CodeMin || OutMax > CodeMax) begin : g_error_range
    $error("qnn_threshold: codes %0d..%0d do not fit OutWidth=%0d bits", OutBase, OutMax, OutWidth);
  end

  localparam int unsigned Folds = Channels / PE;
  localparam int unsigned FoldWidth = (Folds > 1) ? $clog2(Folds) : 1;
  localparam int unsigned CompareWidth = (InWidth > ThresholdWidth) ? InWidth : ThresholdWidth;

  logic [              FoldWidth-1:0] fold;
  logic [             PE*InWidth-1:0] values;
  logic                               values_valid;
  logic [PE*Steps*ThresholdWidth-1:0] thresholds;
  logic [            PE*OutWidth-1:0] codes;
  logic                               output_enable;
  logic                               accept;

  assign output_enable = !m_axis_tvalid || m_axis_tready;
  assign s_axis_tready = !values_valid || output_enable;
  assign accept        = s_axis_tvalid && s_axis_tready;

  if (Folds > 1) begin : g_folds
    always_ff @(posedge aclk) begin : folds
      if (!aresetn) fold <= '0;
      else if (accept) fold <= (fold == FoldWidth'(Folds - 1)) ? '0 : fold + 1'b1;
    end
  end else begin : g_one_fold
    assign fold = '0;
  end

  qnn_weight_store #(
      .Width   (PE * Steps * ThresholdWidth),
      .Depth   (Folds),
      .InitFile(InitFile),
      .Style   ("auto")
  ) threshold_store (
      .aclk   (aclk),
      .enable (accept),
      .address(fold),
      .data   (thresholds)
  );

  for (genvar p = 0; p < PE; p++) begin : g_pe
    logic [            Steps-1:0] fires;
    logic [$clog2(Steps+1)-1:0] fired;

    if (InSigned != 0) begin : g_signed
      logic signed [CompareWidth-1:0] value;
      assign value = CompareWidth'($signed(values[p*InWidth+:InWidth]));
      for (genvar i = 0; i < Steps; i++) begin : g_step
        logic signed [CompareWidth-1:0] threshold;
        assign threshold = CompareWidth'($signed(thresholds[(p*Steps+i)*ThresholdWidth+:ThresholdWidth]));
        assign fires[i]  = value >= threshold;
      end
    end else begin : g_unsigned
      logic [CompareWidth-1:0] value;
      assign value = CompareWidth'(values[p*InWidth+:InWidth]);
      for (genvar i = 0; i < Steps; i++) begin : g_step
        assign fires[i] = value >= CompareWidth'(thresholds[(p*Steps+i)*ThresholdWidth+:ThresholdWidth]);
      end
    end

    qnn_popcount #(
        .Width(Steps)
    ) popcount (
        .data (fires),
        .count(fired)
    );

    // Modulo 2^OutWidth; exact, because the codes fit.
    assign codes[p*OutWidth+:OutWidth] = OutWidth'(OutBase) + OutWidth'(fired);
  end

  always_ff @(posedge aclk) begin : control
    if (!aresetn) begin
      values_valid  <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (s_axis_tready) values_valid <= s_axis_tvalid;
      if (output_enable) m_axis_tvalid <= values_valid;
    end
  end

  always_ff @(posedge aclk) begin : data
    if (accept) values <= s_axis_tdata;
    if (output_enable) m_axis_tdata <= codes;
  end

endmodule
