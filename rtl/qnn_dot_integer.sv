// SPDX-License-Identifier: Apache-2.0
//
// Dot product of integer activations with bipolar weights, from the sums and differences of lane pairs.
//
//   sum + carry = sum_lanes (w ? x : -x)
//
// Contract: combinational, nothing registered. Weight bit 0 = -1, 1 = +1; lane 0 in the LSBs. sum + carry is taken
// modulo 2^OutWidth: it is exact where the result fits, whatever the partial sums are. The caller adds carry in an adder
// it has anyway.
//
// How: two lanes with equal weights give +-(x0 + x1), with different ones +-(x0 - x1), so that a pair costs one choice
// and one adder instead of two (about 8 LUT a lane of 8 bits). A pair is negative where its first weight is: its bits
// are inverted, and the missing ones enter as carries: each adder of the tree takes that of the first pair on its right
// side, which leaves the very first for the output `carry`.
//
// SIMD:     lanes, >= 1
// InWidth:  bits of an activation, >= 1
// InSigned: 1 = activations are two's complement, 0 = unsigned
// OutWidth: bits of the sum (two's complement), >= 1; InWidth + ceil(log2(SIMD)) always suffice for signed
//           activations, one more for unsigned ones
module qnn_dot_integer #(
    parameter int unsigned SIMD     = 3,
    parameter int unsigned InWidth  = 8,
    parameter int unsigned InSigned = 0,
    parameter int unsigned OutWidth = 11
) (
    // of qnn_lane_pairs
    input  logic        [SIMD*(InWidth+1)-1:0] pairs,
    input  logic        [            SIMD-1:0] weights,
    output logic signed [        OutWidth-1:0] sum,
    output logic                               carry
);

  if (SIMD < 1) begin : g_error_simd
    $error("qnn_dot_integer: SIMD=%0d is below 1", SIMD);
  end
  if (InWidth < 1 || OutWidth < 1) begin : g_error_width
    $error("qnn_dot_integer: InWidth=%0d and OutWidth=%0d have to be at least 1", InWidth, OutWidth);
  end

  localparam int unsigned PairWidth = InWidth + 1;
  localparam int unsigned LeafWidth = (InSigned != 0) ? PairWidth : PairWidth + 1;
  localparam int unsigned Leaves = (SIMD + 1) / 2;
  localparam int unsigned Levels = $clog2(Leaves);

  // Level l holds the sums of 2^l leaves each, in as many bits as they need or the output has.
  function automatic int unsigned nodes_of(input int unsigned level);
    return (Leaves + (1 << level) - 1) >> level;
  endfunction
  function automatic int unsigned width_of(input int unsigned level);
    return (LeafWidth + level < OutWidth) ? LeafWidth + level : OutWidth;
  endfunction

  for (genvar l = 0; l <= Levels; l++) begin : g_level
    logic [nodes_of(l)*width_of(l)-1:0] nodes;
  end

  for (genvar leaf = 0; leaf < Leaves; leaf++) begin : g_leaf
    localparam int unsigned Width = width_of(0);
    logic [Width-1:0] same;  // both weights equal, or no second lane
    logic [Width-1:0] chosen;

    if (InSigned != 0) begin : g_signed
      assign same = Width'($signed(pairs[2*leaf*PairWidth+:PairWidth]));
    end else begin : g_unsigned
      assign same = Width'(pairs[2*leaf*PairWidth+:PairWidth]);
    end
    if (2 * leaf + 1 < SIMD) begin : g_two
      assign chosen = (weights[2*leaf] == weights[2*leaf+1]) ? same :
          Width'($signed(pairs[(2*leaf+1)*PairWidth+:PairWidth]));
    end else begin : g_one
      assign chosen = same;
    end
    assign g_level[0].nodes[leaf*Width+:Width] = chosen ^ {Width{!weights[2*leaf]}};
  end

  for (genvar l = 1; l <= Levels; l++) begin : g_tree
    localparam int unsigned From = width_of(l - 1);
    localparam int unsigned Width = width_of(l);
    for (genvar node = 0; node < nodes_of(l); node++) begin : g_node
      logic [Width-1:0] left;
      assign left = Width'($signed(g_level[l-1].nodes[2*node*From+:From]));
      if (2 * node + 1 < nodes_of(l - 1)) begin : g_add
        logic [Width-1:0] right;
        assign right = Width'($signed(g_level[l-1].nodes[(2*node+1)*From+:From]));
        // left + right + carry as one adder: the lowest position only makes the carry.
        assign g_level[l].nodes[node*Width+:Width] =
            Width'(({left, 1'b1} + {right, !weights[((2*node+1)<<(l-1))*2]}) >> 1);
      end else begin : g_pass
        assign g_level[l].nodes[node*Width+:Width] = left;
      end
    end
  end

  assign sum   = OutWidth'($signed(g_level[Levels].nodes));
  assign carry = !weights[0];

endmodule
