// SPDX-License-Identifier: Apache-2.0
//
// Sums and differences of neighbouring lanes, from which qnn_dot_integer chooses.
//
//   pairs[2i] = x[2i] + x[2i+1],  pairs[2i+1] = x[2i] - x[2i+1];  an odd last lane stays as it is
//
// Contract: combinational, nothing registered; lane 0 in the LSBs. Elements of pairs have InWidth+1 bits: a difference is
// two's complement, a sum and an odd last lane are signed as the input is. They depend on no weight: the caller computes
// them once for all rows.
//
// SIMD:     lanes, >= 1
// InWidth:  bits of an activation, >= 1
// InSigned: 1 = activations are two's complement, 0 = unsigned
module qnn_lane_pairs #(
    parameter int unsigned SIMD     = 3,
    parameter int unsigned InWidth  = 8,
    parameter int unsigned InSigned = 0
) (
    input  logic [    SIMD*InWidth-1:0] activations,
    output logic [SIMD*(InWidth+1)-1:0] pairs
);

  if (SIMD < 1 || InWidth < 1) begin : g_error_size
    $error("qnn_lane_pairs: SIMD=%0d and InWidth=%0d have to be at least 1", SIMD, InWidth);
  end

  localparam int unsigned PairWidth = InWidth + 1;

  for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
    logic [PairWidth-1:0] x;
    if (InSigned != 0) begin : g_signed
      assign x = PairWidth'($signed(activations[lane*InWidth+:InWidth]));
    end else begin : g_unsigned
      assign x = PairWidth'(activations[lane*InWidth+:InWidth]);
    end
  end

  for (genvar lane = 0; lane < SIMD; lane++) begin : g_pair
    if (lane % 2 == 1) begin : g_difference
      assign pairs[lane*PairWidth+:PairWidth] = g_lane[lane-1].x - g_lane[lane].x;
    end else if (lane + 1 < SIMD) begin : g_sum
      assign pairs[lane*PairWidth+:PairWidth] = g_lane[lane].x + g_lane[lane+1].x;
    end else begin : g_alone
      assign pairs[lane*PairWidth+:PairWidth] = g_lane[lane].x;
    end
  end

endmodule
