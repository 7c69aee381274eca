// SPDX-License-Identifier: Apache-2.0
//
// Number of ones in a word.
//
//   count = sum_i data[i]
//
// Contract: combinational, nothing registered. Two bodies that are equal by test: in synthesis (SYNTHESIS) or with
// QNN_STRUCTURAL a tree of 6:3 tables, one six-input LUT a table bit; else $countones, which simulates and builds
// faster. The tree keeps the bits sorted by weight and puts six of one weight into a table of three bits until no weight
// has more than two bits; one adder does the rest. About one LUT per bit (a flat loop maps to 2.35 in yosys).
//
// Width: bits of the word, >= 1
module qnn_popcount #(
    parameter int unsigned Width = 6
) (
    input  logic [          Width-1:0] data,
    output logic [$clog2(Width+1)-1:0] count
);

  if (Width < 1) begin : g_error_width
    $error("qnn_popcount: Width=%0d is below 1", Width);
  end

`ifdef SYNTHESIS
  `define QNN_POPCOUNT_TABLES
`elsif QNN_STRUCTURAL
  `define QNN_POPCOUNT_TABLES
`endif

`ifdef QNN_POPCOUNT_TABLES
  localparam int unsigned CountWidth = $clog2(Width + 1);
  // Bit i of table b is bit b of the number of ones in i.
  localparam logic [63:0] Table0 = 64'h6996966996696996;
  localparam logic [63:0] Table1 = 64'h8117177E177E7EE8;
  localparam logic [63:0] Table2 = 64'hFEE8E880E8808000;

  // What becomes of h bits of one weight: bits of the same weight, of twice and of four times the weight.
  function automatic int unsigned same_bits(input int unsigned h);
    return h / 6 + ((h % 6 <= 2) ? h % 6 : 1);
  endfunction
  function automatic int unsigned twice_bits(input int unsigned h);
    return h / 6 + ((h % 6 >= 3) ? 1 : 0);
  endfunction
  function automatic int unsigned four_bits(input int unsigned h);
    return h / 6 + ((h % 6 >= 4) ? 1 : 0);
  endfunction

  // Number of bits of each weight 2^c after some levels, 16 bits a weight.
  function automatic logic [CountWidth*16-1:0] heights_after(input int unsigned levels);
    logic [CountWidth*16-1:0] now;
    logic [CountWidth*16-1:0] next;
    int unsigned              height;
    now = (CountWidth * 16)'(Width);
    for (int unsigned l = 0; l < levels; l++) begin
      for (int unsigned c = 0; c < CountWidth; c++) begin
        height = same_bits(32'(now[c*16+:16]));
        if (c >= 1) height = height + twice_bits(32'(now[(c-1)*16+:16]));
        if (c >= 2) height = height + four_bits(32'(now[(c-2)*16+:16]));
        next[c*16+:16] = 16'(height);
      end
      now = next;
    end
    return now;
  endfunction

  // Levels until no weight has more than two bits
  function automatic int unsigned needed_levels();
    logic [CountWidth*16-1:0] now;
    int unsigned              highest;
    for (int unsigned levels = 0; levels < 64; levels++) begin
      now     = heights_after(levels);
      highest = 0;
      for (int unsigned c = 0; c < CountWidth; c++) begin
        if (32'(now[c*16+:16]) > highest) highest = 32'(now[c*16+:16]);
      end
      if (highest <= 2) return levels;
    end
    return 64;
  endfunction

  // Sum of the heights of the weights below 2^column: where its bits start in the level's vector
  function automatic int unsigned bits_below(input logic [CountWidth*16-1:0] heights, input int unsigned column);
    int unsigned total;
    total = 0;
    for (int unsigned c = 0; c < column; c++) total = total + 32'(heights[c*16+:16]);
    return total;
  endfunction

  localparam int unsigned Levels = needed_levels();

  // Bits of level l, sorted by weight
  for (genvar l = 0; l <= Levels; l++) begin : g_level
    localparam logic [CountWidth*16-1:0] Heights = heights_after(l);
    logic [bits_below(Heights, CountWidth)-1:0] bits;
  end

  assign g_level[0].bits = data;

  for (genvar l = 0; l < Levels; l++) begin : g_step
    localparam logic [CountWidth*16-1:0] From = heights_after(l);
    localparam logic [CountWidth*16-1:0] To = heights_after(l + 1);
    for (genvar c = 0; c < CountWidth; c++) begin : g_weight
      localparam int unsigned Height = 32'(From[c*16+:16]);
      localparam int unsigned Groups = same_bits(Height);
      localparam int unsigned Source = bits_below(From, c);
      // In the next level a weight holds first its own bits, then those from half, then those from a quarter of it.
      localparam int unsigned ToSame = bits_below(To, c);
      for (genvar g = 0; g < Groups; g++) begin : g_group
        if (g < Height / 6 || Height % 6 >= 3) begin : g_table
          localparam int unsigned Inputs = (g < Height / 6) ? 6 : Height % 6;
          logic [5:0] inputs;
          assign inputs = 6'(g_level[l].bits[Source+6*g+:Inputs]);
          assign g_level[l+1].bits[ToSame+g] = Table0[inputs];
          if (c + 1 < CountWidth) begin : g_twice
            localparam int unsigned ToTwice = bits_below(To, c + 1) + same_bits(32'(From[(c+1)*16+:16]));
            assign g_level[l+1].bits[ToTwice+g] = Table1[inputs];
          end
          if (c + 2 < CountWidth && Inputs >= 4) begin : g_four
            localparam int unsigned ToFour = bits_below(To, c + 2) + same_bits(32'(From[(c+2)*16+:16])) +
                twice_bits(32'(From[(c+1)*16+:16]));
            assign g_level[l+1].bits[ToFour+g] = Table2[inputs];
          end
        end else begin : g_pass
          assign g_level[l+1].bits[ToSame+g] = g_level[l].bits[Source+5*(Height/6)+g];
        end
      end
    end
  end

  // What is left, two numbers, goes through one adder. Modulo 2^CountWidth; exact, because the count fits.
  localparam logic [CountWidth*16-1:0] Last = heights_after(Levels);
  logic [CountWidth-1:0] row0;
  logic [CountWidth-1:0] row1;
  for (genvar c = 0; c < CountWidth; c++) begin : g_row
    localparam int unsigned Source = bits_below(Last, c);
    if (32'(Last[c*16+:16]) >= 1) begin : g_first
      assign row0[c] = g_level[Levels].bits[Source];
    end else begin : g_no_first
      assign row0[c] = 1'b0;
    end
    if (32'(Last[c*16+:16]) >= 2) begin : g_second
      assign row1[c] = g_level[Levels].bits[Source+1];
    end else begin : g_no_second
      assign row1[c] = 1'b0;
    end
  end
  assign count = row0 + row1;
`else
  localparam int unsigned CountWidth = $clog2(Width + 1);
  assign count = CountWidth'($countones(data));
`endif

endmodule
