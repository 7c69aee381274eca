// SPDX-License-Identifier: Apache-2.0
//
// Dot product of integer activations with bipolar weights.
//
//   sum = sum_lanes (w ? x : -x)
//
// Contract: combinational, nothing registered. Weight bit 0 = -1, 1 = +1; lane 0 in the LSBs. The sum is taken modulo
// 2^OutWidth: it is exact where the result fits, whatever the partial sums are. Negation is x ^ ~w plus one; the ones
// are counted together, so that a lane costs one adder.
//
// SIMD:     lanes, >= 1
// InWidth:  bits of an activation, >= 1
// InSigned: 1 = activations are two's complement, 0 = unsigned
// OutWidth: bits of the sum (two's complement), >= 1; InWidth + 1 + ceil(log2(SIMD)) always suffice
module qnn_dot_integer #(
    parameter int unsigned SIMD     = 3,
    parameter int unsigned InWidth  = 8,
    parameter int unsigned InSigned = 0,
    parameter int unsigned OutWidth = 11
) (
    input  logic        [SIMD*InWidth-1:0] activations,
    input  logic        [        SIMD-1:0] weights,
    output logic signed [    OutWidth-1:0] sum
);

  if (SIMD < 1) begin : g_error_simd
    $error("qnn_dot_integer: SIMD=%0d is below 1", SIMD);
  end
  if (InWidth < 1 || OutWidth < 1) begin : g_error_width
    $error("qnn_dot_integer: InWidth=%0d and OutWidth=%0d have to be at least 1", InWidth, OutWidth);
  end

  // Nodes of a binary tree in heap order: node i is the sum of nodes 2i+1 and 2i+2, the leaves are the lanes.
  logic [(2*SIMD-1)*OutWidth-1:0] nodes;
  logic [     $clog2(SIMD+1)-1:0] negated;

  for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
    logic [OutWidth-1:0] x;
    if (InSigned != 0) begin : g_signed
      assign x = OutWidth'($signed(activations[lane*InWidth+:InWidth]));
    end else begin : g_unsigned
      assign x = OutWidth'(activations[lane*InWidth+:InWidth]);
    end
    assign nodes[(SIMD-1+lane)*OutWidth+:OutWidth] = x ^ {OutWidth{!weights[lane]}};
  end

  for (genvar node = 0; node < SIMD - 1; node++) begin : g_node
    assign nodes[node*OutWidth+:OutWidth] =
        nodes[(2*node+1)*OutWidth+:OutWidth] + nodes[(2*node+2)*OutWidth+:OutWidth];
  end

  qnn_popcount #(
      .Width(SIMD)
  ) popcount (
      .data (~weights),
      .count(negated)
  );

  if (OutWidth < $clog2(SIMD + 1)) begin : g_narrow
    logic unused;
    assign unused = &{1'b0, negated[$clog2(SIMD+1)-1:OutWidth]};
  end

  assign sum = nodes[OutWidth-1:0] + OutWidth'(negated);

endmodule
