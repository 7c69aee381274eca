// SPDX-License-Identifier: Apache-2.0
//
// Exact sum of two streams, element by element.
//
//   m = value(s0) + value(s1)
//
// Contract: order kept; one beat of each input makes one of the output; one beat per cycle; latency 1 cycle from the
// later of the two. Both inputs are taken in the same cycle: the one that is there first waits for the other. Outputs
// are registered; s0_axis_tready depends combinationally on s1_axis_tvalid and m_axis_tready, s1_axis_tready on
// s0_axis_tvalid and m_axis_tready. Reset drops the held beat. The result always fits: a range that does not fit
// OutWidth bits (of two's complement, unless both inputs are unsigned) is an elaboration error.
//
// Lanes:    elements a beat, >= 1
// In0Width: bits of an element of s0, 1..62
// In0Kind:  its value: 0 = unsigned, 1 = two's complement, 2 = one bipolar bit, 0 for -1 and 1 for +1
// In1Width: bits of an element of s1, 1..62
// In1Kind:  as In0Kind
// OutWidth: bits of an output element, 1..64
module qnn_add #(
    parameter int unsigned Lanes    = 1,
    parameter int unsigned In0Width = 2,
    parameter int unsigned In0Kind  = 0,
    parameter int unsigned In1Width = 2,
    parameter int unsigned In1Kind  = 0,
    parameter int unsigned OutWidth = 3
) (
    input  logic                      aclk,
    input  logic                      aresetn,
    input  logic [Lanes*In0Width-1:0] s0_axis_tdata,
    input  logic                      s0_axis_tvalid,
    output logic                      s0_axis_tready,
    input  logic [Lanes*In1Width-1:0] s1_axis_tdata,
    input  logic                      s1_axis_tvalid,
    output logic                      s1_axis_tready,
    output logic [Lanes*OutWidth-1:0] m_axis_tdata,
    output logic                      m_axis_tvalid,
    input  logic                      m_axis_tready
);

  localparam longint In0Min = (In0Kind == 0) ? 64'sd0 : -(64'sd1 <<< (In0Width - 1));
  localparam longint In1Min = (In1Kind == 0) ? 64'sd0 : -(64'sd1 <<< (In1Width - 1));
  localparam longint In0Max = (In0Kind == 1) ? (64'sd1 <<< (In0Width - 1)) - 64'sd1 : (64'sd1 <<< In0Width) - 64'sd1;
  localparam longint In1Max = (In1Kind == 1) ? (64'sd1 <<< (In1Width - 1)) - 64'sd1 : (64'sd1 <<< In1Width) - 64'sd1;
  localparam longint OutMin = In0Min + In1Min;
  localparam longint OutMax = In0Max + In1Max;
  localparam int unsigned MagnitudeWidth = (OutMin < 0) ? OutWidth - 1 : OutWidth;

  if (Lanes < 1) begin : g_error_lanes
    $error("qnn_add: Lanes=%0d is below 1", Lanes);
  end
  if (In0Width < 1 || In0Width > 62 || In1Width < 1 || In1Width > 62) begin : g_error_in_width
    $error("qnn_add: In0Width=%0d and In1Width=%0d have to lie in 1..62", In0Width, In1Width);
  end
  if (In0Kind > 2 || In1Kind > 2) begin : g_error_kind
    $error("qnn_add: In0Kind=%0d and In1Kind=%0d have to be 0, 1 or 2", In0Kind, In1Kind);
  end
  if ((In0Kind == 2 && In0Width != 1) || (In1Kind == 2 && In1Width != 1)) begin : g_error_bipolar
    $error("qnn_add: a bipolar element is one bit, not In0Width=%0d or In1Width=%0d", In0Width, In1Width);
  end
  if (OutWidth < 1 || OutWidth > 64) begin : g_error_out_width
    $error("qnn_add: OutWidth=%0d is outside 1..64", OutWidth);
  end
  if (MagnitudeWidth < 63) begin : g_range
    if (OutMax >= (64'sd1 <<< MagnitudeWidth) || OutMin < -(64'sd1 <<< MagnitudeWidth)) begin : g_error_range
      $error("qnn_add: the range %0d..%0d does not fit OutWidth=%0d bits", OutMin, OutMax, OutWidth);
    end
  end

  logic [Lanes*OutWidth-1:0] sum;
  logic                      advance;

  // Modulo 2^OutWidth; exact, because the result fits.
  for (genvar lane = 0; lane < Lanes; lane++) begin : g_lane
    logic [In0Width-1:0] a;
    logic [In1Width-1:0] b;
    logic [OutWidth-1:0] a_value;
    logic [OutWidth-1:0] b_value;
    assign a = s0_axis_tdata[lane*In0Width+:In0Width];
    assign b = s1_axis_tdata[lane*In1Width+:In1Width];

    if (In0Kind == 0) begin : g_a_unsigned
      assign a_value = OutWidth'(a);
    end else if (In0Kind == 1) begin : g_a_signed
      assign a_value = OutWidth'($signed(a));
    end else begin : g_a_bipolar
      assign a_value = a[0] ? OutWidth'(1) : '1;
    end
    if (In1Kind == 0) begin : g_b_unsigned
      assign b_value = OutWidth'(b);
    end else if (In1Kind == 1) begin : g_b_signed
      assign b_value = OutWidth'($signed(b));
    end else begin : g_b_bipolar
      assign b_value = b[0] ? OutWidth'(1) : '1;
    end

    assign sum[lane*OutWidth+:OutWidth] = a_value + b_value;
  end

  assign advance        = !m_axis_tvalid || m_axis_tready;
  assign s0_axis_tready = advance && s1_axis_tvalid;
  assign s1_axis_tready = advance && s0_axis_tvalid;

  always_ff @(posedge aclk) begin : control
    if (!aresetn) m_axis_tvalid <= 1'b0;
    else if (advance) m_axis_tvalid <= s0_axis_tvalid && s1_axis_tvalid;
  end

  always_ff @(posedge aclk) begin : data
    if (advance) m_axis_tdata <= sum;
  end

endmodule
