// SPDX-License-Identifier: Apache-2.0
//
// Bipolar dot product as the number of agreeing lanes.
//
//   count = popcount(~(activations ^ weights)),  dot = 2*count - SIMD
//
// Contract: combinational, nothing registered. Bit 0 = -1, bit 1 = +1; lane 0 in the LSBs. Two bodies that are equal
// by test: in synthesis (SYNTHESIS) or with QNN_STRUCTURAL three lanes (six inputs) go into two tables that give
// their two-bit count; else $countones.
//
// SIMD: lanes, >= 1
module qnn_dot_xnor #(
    parameter int unsigned SIMD = 3
) (
    input  logic [          SIMD-1:0] activations,
    input  logic [          SIMD-1:0] weights,
    output logic [$clog2(SIMD+1)-1:0] count
);

  if (SIMD < 1) begin : g_error_simd
    $error("qnn_dot_xnor: SIMD=%0d is below 1", SIMD);
  end

`ifdef SYNTHESIS
  `define QNN_DOT_XNOR_TABLES
`elsif QNN_STRUCTURAL
  `define QNN_DOT_XNOR_TABLES
`endif

`ifdef QNN_DOT_XNOR_TABLES
  localparam int unsigned Groups = (SIMD + 2) / 3;
  localparam int unsigned PaddedWidth = Groups * 3;
  localparam int unsigned GroupWidth = $clog2(Groups + 1);
  localparam int unsigned CountWidth = $clog2(SIMD + 1);
  // Bit {a2,a1,a0,w2,w1,w0} of table b is bit b of the number of agreeing lanes.
  localparam logic [63:0] TableLow = 64'h9669699669969669;
  localparam logic [63:0] TableHigh = 64'hE8D4B2718E4D2B17;

  logic [Groups*3-1:0] a;
  logic [Groups*3-1:0] w;
  logic [  Groups-1:0] low;
  logic [  Groups-1:0] high;
  logic [GroupWidth-1:0] ones;
  logic [GroupWidth-1:0] twos;

  // Lanes that fill up the last group disagree (0 and 1) and count nothing.
  assign a = PaddedWidth'(activations);
  assign w = PaddedWidth'(weights) | ({PaddedWidth{1'b1}} << SIMD);

  for (genvar g = 0; g < Groups; g++) begin : g_group
    assign low[g]  = TableLow[{a[g*3+:3], w[g*3+:3]}];
    assign high[g] = TableHigh[{a[g*3+:3], w[g*3+:3]}];
  end

  qnn_popcount #(
      .Width(Groups)
  ) count_ones (
      .data (low),
      .count(ones)
  );
  qnn_popcount #(
      .Width(Groups)
  ) count_twos (
      .data (high),
      .count(twos)
  );

  // Modulo 2^CountWidth; exact, because the count fits.
  assign count = CountWidth'(ones) + (CountWidth'(twos) << 1);
`else
  localparam int unsigned CountWidth = $clog2(SIMD + 1);
  assign count = CountWidth'($countones(~(activations ^ weights)));
`endif

endmodule
