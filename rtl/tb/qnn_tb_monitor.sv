// SPDX-License-Identifier: Apache-2.0
// Testbench: watches one stream, compares every beat with golden beats, checks the handshake. Not synthesizable.
//
// Golden beats come from +qnn_golden=DIR, DIR/<Name>.bin: ceil(Width/8) bytes a beat, most significant byte first,
// whole frames, which repeat. Without the file only the handshake is checked. Reset starts again with golden beat 0.
// Checked always: TVALID is not taken back before TREADY, TDATA is stable while TVALID waits.
// `report` writes one line: beats seen, mismatches with the first one, violations with the first one, TVALID/TREADY now.
module qnn_tb_monitor #(
    parameter              Name  = "stream",  // of the stream and its file
    parameter int unsigned Width = 8          // bits of a beat
) (
    input  logic             aclk,
    input  logic             aresetn,
    input  logic             report,
    input  int               events,
    input  logic [Width-1:0] tdata,
    input  logic             tvalid,
    input  logic             tready,
    output logic             activity
);
  localparam int unsigned Bytes = (Width + 7) / 8;

  logic [  Width-1:0] golden [];
  logic [Bytes*8-1:0] word;
  string              folder;
  int                 file;
  int unsigned        n_golden = 0;

  initial begin
    if ($value$plusargs("qnn_golden=%s", folder)) begin
      file = $fopen({folder, "/", Name, ".bin"}, "rb");
      if (file != 0) begin
        void'($fseek(file, 0, 2));
        n_golden = $ftell(file) / Bytes;
        void'($rewind(file));
        golden = new[n_golden];
        for (int unsigned i = 0; i < n_golden; i++) begin
          void'($fread(word, file));
          golden[i] = word[Width-1:0];
        end
        $fclose(file);
      end
    end
  end

  logic [31:0] index;  // into golden
  logic [31:0] beats;
  logic [31:0] mismatches;
  logic [31:0] first;  // the first mismatch: beat, got, expected
  logic [Width-1:0] got;
  logic [Width-1:0] want;
  logic [31:0] dropped;
  logic [31:0] unstable;
  logic [31:0] first_violation;
  logic        waiting;  // TVALID was up without TREADY one cycle ago
  logic [Width-1:0] waiting_data;

  assign activity = tvalid && tready && aresetn;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      index      <= 32'd0;
      beats      <= 32'd0;
      mismatches <= 32'd0;
      dropped    <= 32'd0;
      unstable   <= 32'd0;
      waiting    <= 1'b0;
    end else begin
      waiting      <= tvalid && !tready;
      waiting_data <= tdata;
      if (waiting && !tvalid) begin
        dropped <= dropped + 32'd1;
        if (dropped == 0 && unstable == 0) first_violation <= beats;
      end else if (waiting && tdata != waiting_data) begin
        unstable <= unstable + 32'd1;
        if (dropped == 0 && unstable == 0) first_violation <= beats;
      end
      if (tvalid && tready) begin
        beats <= beats + 32'd1;
        if (n_golden != 0) begin
          index <= (index + 1 == n_golden) ? 32'd0 : index + 32'd1;
          if (tdata != golden[index]) begin
            mismatches <= mismatches + 32'd1;
            if (mismatches == 0) begin
              first <= beats;
              got   <= tdata;
              want  <= golden[index];
            end
          end
        end
      end
    end
    if (report && events != 0) begin
      $fwrite(events, "stream name=%0s beats=%0d golden=%0d mismatches=%0d dropped=%0d unstable=%0d valid=%0d ready=%0d",
              Name, beats, n_golden, mismatches, dropped, unstable, tvalid, tready);
      if (mismatches != 0) $fwrite(events, " first=%0d got=%h want=%h", first, got, want);
      if (dropped != 0 || unstable != 0) $fwrite(events, " violation=%0d", first_violation);
      $fwrite(events, "\n");
    end
  end
endmodule
