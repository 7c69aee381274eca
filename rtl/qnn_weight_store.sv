// SPDX-License-Identifier: Apache-2.0
//
// Synchronous-read constant table (weights, thresholds, masks, scores).
//
//   data <= table[address] at each enabled edge
//
// Contract: data holds the word of `address` one cycle after an enabled edge, and holds it while enable is low; a table
// of one word is a constant that is always there. One word a cycle. No reset: the content is constant and data is data
// path. The table comes from the file InitFile, one hex word a line: in synthesis from InitFile as it stands, in
// simulation from <dir>/InitFile of the plusarg +qnn_data=<dir>, so that no content ever becomes part of a simulation
// build. An empty InitFile leaves the table undefined.
//
// Width:    bits of a word, >= 1
// Depth:    words, >= 1; address has max(1, ceil(log2(Depth))) bits
// InitFile: file name of the content
// Style:    "auto" | "lut" | "lutram" | "bram": what holds it; a table is never written, so that "lut" and "lutram" are
//           the same, 64 bits a LUT6
module qnn_weight_store #(
    parameter int unsigned Width    = 8,
    parameter int unsigned Depth    = 16,
    parameter              InitFile = "",
    parameter logic [47:0] Style    = "auto"
) (
    input  logic                                         aclk,
    input  logic                                         enable,
    input  logic [((Depth > 1) ? $clog2(Depth) : 1)-1:0] address,
    output logic [                            Width-1:0] data
);

  if (Width < 1 || Depth < 1) begin : g_error_size
    $error("qnn_weight_store: Width=%0d and Depth=%0d have to be at least 1", Width, Depth);
  end

  // An attribute takes a literal or a parameter, not a choice between texts of different length.
  if (Style == "bram") begin : g_bram
    qnn_rom #(
        .Width   (Width),
        .Depth   (Depth),
        .InitFile(InitFile),
        .RomStyle("block"),
        .RamStyle("block")
    ) rom (
        .aclk   (aclk),
        .enable (enable),
        .address(address),
        .data   (data)
    );
  end else if (Style == "lut" || Style == "lutram") begin : g_lut
    // yosys has no LUTRAM mode for a table that is never written; as registers it becomes logic.
    qnn_rom #(
        .Width   (Width),
        .Depth   (Depth),
        .InitFile(InitFile),
        .RomStyle("distributed"),
        .RamStyle("registers")
    ) rom (
        .aclk   (aclk),
        .enable (enable),
        .address(address),
        .data   (data)
    );
  end else if (Style == "auto") begin : g_auto
    qnn_rom #(
        .Width   (Width),
        .Depth   (Depth),
        .InitFile(InitFile),
        .RomStyle("auto"),
        .RamStyle("auto")
    ) rom (
        .aclk   (aclk),
        .enable (enable),
        .address(address),
        .data   (data)
    );
  end else begin : g_error_style
    $error("qnn_weight_store: Style=%0s is none of auto, lut, lutram, bram", Style);
  end

endmodule
