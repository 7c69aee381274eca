// SPDX-License-Identifier: Apache-2.0
//
// One running sum for each PE.
//
//   total = (first ? 0 : accumulated) + sum + carry;   accumulated <= total at each enabled edge
//
// Contract: total is combinational; one sum per PE a cycle; the accumulated value is kept while enable is low. The sum
// is taken modulo 2^AccWidth. No reset: `first` starts a new sum.
//
// PE:       sums side by side, >= 1
// InWidth:  bits of a summand, 1..AccWidth
// InSigned: 1 = summands are two's complement, 0 = unsigned
// AccWidth: bits of a sum, >= InWidth
module qnn_accumulator #(
    parameter int unsigned PE       = 1,
    parameter int unsigned InWidth  = 4,
    parameter int unsigned InSigned = 0,
    parameter int unsigned AccWidth = 8
) (
    input  logic                   aclk,
    input  logic                   enable,
    input  logic                   first,
    input  logic [ PE*InWidth-1:0] sums,
    input  logic [         PE-1:0] carries,
    output logic [PE*AccWidth-1:0] totals
);

  if (PE < 1) begin : g_error_pe
    $error("qnn_accumulator: PE=%0d is below 1", PE);
  end
  if (InWidth < 1 || InWidth > AccWidth) begin : g_error_width
    $error("qnn_accumulator: InWidth=%0d is outside 1..AccWidth=%0d", InWidth, AccWidth);
  end

  for (genvar p = 0; p < PE; p++) begin : g_pe
    logic [AccWidth-1:0] accumulated;
    logic [AccWidth-1:0] previous;
    logic [AccWidth-1:0] summand;
    logic [AccWidth-1:0] total;

    if (InSigned != 0) begin : g_signed
      assign summand = AccWidth'($signed(sums[p*InWidth+:InWidth]));
    end else begin : g_unsigned
      assign summand = AccWidth'(sums[p*InWidth+:InWidth]);
    end

    assign previous = first ? '0 : accumulated;
    // One adder: the lowest position only makes the carry.
    assign total = AccWidth'(({previous, 1'b1} + {summand, carries[p]}) >> 1);
    assign totals[p*AccWidth+:AccWidth] = total;

    always_ff @(posedge aclk) begin : accumulate
      if (enable) accumulated <= total;
    end
  end

endmodule
