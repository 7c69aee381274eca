// SPDX-License-Identifier: Apache-2.0
// The 128-bit graph hash of a build: four 32-bit words, low word first, as a constant.
//
//   hash[32*i +: 32] = word i of InitFile (one hex word a line)
//
// Contract: constant output, no clock. Under SYNTHESIS the words are read when the design is elaborated; in simulation
// they are read at time 0 from the folder given by +qnn_data=DIR, so that the hash never enters a compiled simulator.
// Without +qnn_data the hash reads as zero. Used by qnn_shell; tested in tests/rtl/test_shell.py.
module qnn_hash_rom #(
    parameter InitFile = "graph_hash.mem"  // file name of the four words
) (
    output logic [127:0] hash
);
  logic [31:0] words[4];

`ifdef SYNTHESIS
  initial $readmemh(InitFile, words);
`else
  string folder;
  initial begin
    for (int i = 0; i < 4; i++) words[i] = 32'd0;
    if ($value$plusargs("qnn_data=%s", folder)) $readmemh({folder, "/", InitFile}, words);
  end
`endif

  assign hash = {words[3], words[2], words[1], words[0]};
endmodule
