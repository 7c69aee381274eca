// SPDX-License-Identifier: Apache-2.0
//
// The memory of qnn_weight_store: one array, with the tools' attributes as parameters.
//
//   data <= table[address] at each enabled edge;  Depth = 1: data = table[0], a constant
//
// Contract, Width, Depth and InitFile: see qnn_weight_store. A single word is no memory but constants, which synthesis
// carries into the logic behind; a register would hide them from a tool that gives it a value before the first edge.
//
// RomStyle: Vivado's rom_style, "auto" | "block" | "distributed"
// RamStyle: yosys' ram_style, "auto" | "block" | "registers"; shown to yosys alone (YOSYS), for to Vivado "registers"
//           asks for flip-flops. Where its read_slang is used, YOSYS has to be defined by hand.
module qnn_rom #(
    parameter int unsigned Width    = 8,
    parameter int unsigned Depth    = 16,
    parameter              InitFile = "",
    parameter              RomStyle = "auto",
    parameter              RamStyle = "auto"
) (
    input  logic                                         aclk,
    input  logic                                         enable,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] address,
    output logic [                            Width-1:0] data
);

  if (RomStyle == "" || RamStyle == "") begin : g_error_style
    $error("qnn_rom: RomStyle and RamStyle must not be empty");
  end

`ifdef YOSYS
  (* ram_style = RamStyle *)
`else
  (* rom_style = RomStyle *)
`endif
  logic [Width-1:0] memory[Depth];

`ifdef SYNTHESIS
  if (InitFile != "") begin : g_init
    initial $readmemh(InitFile, memory);
  end
`else
  initial begin : load
    string dir;
    if (InitFile != "" && $value$plusargs("qnn_data=%s", dir) != 0) $readmemh({dir, "/", InitFile}, memory);
  end
`endif

  if (Depth > 1) begin : g_words
    always_ff @(posedge aclk) begin : read
      if (enable) data <= memory[address];
    end
  end else begin : g_word
    logic unused;
    assign unused = &{1'b0, aclk, enable, address};
    assign data   = memory[0];
  end

endmodule
