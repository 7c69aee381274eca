// SPDX-License-Identifier: Apache-2.0
//
// Dot product of ternary activations with bipolar weights, shifted to be unsigned.
//
//   sum = sum_lanes (a == 0 ? 1 : 2*[a == w]) = 2*popcount(valid & (a == w)) + invalid_count,  dot = sum - SIMD
//
// Contract: combinational, nothing registered. Activations are two's complement pairs -1/0/+1, lane 0 in the LSBs
// (2'b10 does not occur); weight bit 0 = -1, 1 = +1. invalid_count, the number of zero activations, depends on no
// weight: the caller computes it once for all rows.
//
// SIMD: lanes, >= 1
module qnn_dot_ternary #(
    parameter int unsigned SIMD = 3
) (
    input  logic [          2*SIMD-1:0] activations,
    input  logic [            SIMD-1:0] weights,
    input  logic [  $clog2(SIMD+1)-1:0] invalid_count,
    output logic [$clog2(2*SIMD+1)-1:0] sum
);

  if (SIMD < 1) begin : g_error_simd
    $error("qnn_dot_ternary: SIMD=%0d is below 1", SIMD);
  end

  localparam int unsigned SumWidth = $clog2(2 * SIMD + 1);

  logic [          SIMD-1:0] agree;
  logic [$clog2(SIMD+1)-1:0] agreeing;

  // The low bit of the pair says valid, the high bit is the sign: +1 agrees with weight bit 1.
  for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
    assign agree[lane] = activations[2*lane] && (activations[2*lane+1] ^ weights[lane]);
  end

  qnn_popcount #(
      .Width(SIMD)
  ) popcount (
      .data (agree),
      .count(agreeing)
  );

  assign sum = (SumWidth'(agreeing) << 1) + SumWidth'(invalid_count);

endmodule
