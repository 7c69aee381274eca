// SPDX-License-Identifier: Apache-2.0
//
// Exact integer affine map of each element.
//
//   y = Scale * x + Offset
//
// Contract: order kept; one beat per cycle; latency 1 cycle. Outputs are registers; s_axis_tready depends
// combinationally on m_axis_tready. Reset drops the held beat. The result always fits: a range that does not fit
// OutWidth bits of two's complement is an elaboration error.
//
// Lanes:    elements a beat, >= 1
// InWidth:  bits of an input element, 1..30
// InSigned: 1 = the input is two's complement, 0 = unsigned
// OutWidth: bits of an output element (two's complement), InWidth..64
// Scale:    factor, not 0
// Offset:   summand
module qnn_affine #(
    parameter int unsigned Lanes    = 1,
    parameter int unsigned InWidth  = 8,
    parameter int unsigned InSigned = 0,
    parameter int unsigned OutWidth = 9,
    parameter int          Scale    = 1,
    parameter int          Offset   = 0
) (
    input  logic                      aclk,
    input  logic                      aresetn,
    input  logic [ Lanes*InWidth-1:0] s_axis_tdata,
    input  logic                      s_axis_tvalid,
    output logic                      s_axis_tready,
    output logic [Lanes*OutWidth-1:0] m_axis_tdata,
    output logic                      m_axis_tvalid,
    input  logic                      m_axis_tready
);

  localparam longint InMin = (InSigned != 0) ? -(64'sd1 <<< (InWidth - 1)) : 64'sd0;
  localparam longint InMax = (InSigned != 0) ? (64'sd1 <<< (InWidth - 1)) - 64'sd1 : (64'sd1 <<< InWidth) - 64'sd1;
  localparam longint AtMin = longint'(Scale) * InMin + longint'(Offset);
  localparam longint AtMax = longint'(Scale) * InMax + longint'(Offset);
  localparam longint OutMin = (AtMin < AtMax) ? AtMin : AtMax;
  localparam longint OutMax = (AtMin < AtMax) ? AtMax : AtMin;

  if (Lanes < 1) begin : g_error_lanes
    $error("qnn_affine: Lanes=%0d is below 1", Lanes);
  end
  if (InWidth < 1 || InWidth > 30) begin : g_error_in_width
    $error("qnn_affine: InWidth=%0d is outside 1..30", InWidth);
  end
  if (OutWidth < InWidth || OutWidth > 64) begin : g_error_out_width
    $error("qnn_affine: OutWidth=%0d is outside InWidth=%0d..64", OutWidth, InWidth);
  end
  if (Scale == 0) begin : g_error_scale
    $error("qnn_affine: Scale=%0d must not be 0", Scale);
  end
  if (OutWidth < 64) begin : g_range
    if (OutMin < -(64'sd1 <<< (OutWidth - 1)) || OutMax >= (64'sd1 <<< (OutWidth - 1))) begin : g_error_range
      $error("qnn_affine: the range %0d..%0d does not fit OutWidth=%0d bits", OutMin, OutMax, OutWidth);
    end
  end

  localparam logic signed [OutWidth-1:0] ScaleBits = OutWidth'(Scale);
  localparam logic signed [OutWidth-1:0] OffsetBits = OutWidth'(Offset);

  logic [Lanes*OutWidth-1:0] result;

  // Modulo 2^OutWidth; exact, because the result fits.
  for (genvar lane = 0; lane < Lanes; lane++) begin : g_lane
    logic signed [OutWidth-1:0] x;
    if (InSigned != 0) begin : g_signed
      assign x = OutWidth'($signed(s_axis_tdata[lane*InWidth+:InWidth]));
    end else begin : g_unsigned
      assign x = OutWidth'(s_axis_tdata[lane*InWidth+:InWidth]);
    end
    assign result[lane*OutWidth+:OutWidth] = ScaleBits * x + OffsetBits;
  end

  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;

  always_ff @(posedge aclk) begin : control
    if (!aresetn) m_axis_tvalid <= 1'b0;
    else if (s_axis_tready) m_axis_tvalid <= s_axis_tvalid;
  end

  always_ff @(posedge aclk) begin : data
    if (s_axis_tready) m_axis_tdata <= result;
  end

endmodule
