// SPDX-License-Identifier: Apache-2.0
// Testbench: an AXI4-Stream source that plays the beats of a file, with random pauses. Not synthesizable.
//
// The file (+qnn_golden=DIR, DIR/FileName) holds whole frames, ceil(Width/8) bytes a beat, most significant byte
// first; the frames repeat. TVALID never waits for TREADY; once raised it stays. tlast_mode 0: on the last beat of every
// frames_per_transfer-th frame and of the last one; 1: also on the first beat of frame 1 (or 0 if there is one only),
// where it must not be; 2: never.
module qnn_tb_source #(
    parameter int unsigned Width    = 64,           // bits of a beat
    parameter int unsigned Beats    = 1,            // beats of a frame
    parameter              FileName = "_input.bin"
) (
    input  logic               aclk,
    input  logic               aresetn,
    input  logic               run,                  // offer new beats
    input  logic               rewind_source,        // begin with frame 0
    input  logic               report,
    input  int                 events,
    input  logic [       63:0] cycle,
    input  logic [       31:0] frames,
    input  logic [       31:0] frames_per_transfer,
    input  logic [       31:0] tlast_mode,
    input  logic [       31:0] stall,                // per mille
    input  logic [       31:0] seed,
    output logic [       31:0] beats,                // accepted since the last rewind
    output logic               done,
    output logic               activity,
    output logic [  Width-1:0] m_axis_tdata,
    output logic [Width/8-1:0] m_axis_tkeep,
    output logic               m_axis_tlast,
    output logic               m_axis_tvalid,
    input  logic               m_axis_tready
);
  localparam int unsigned Bytes = (Width + 7) / 8;

  logic [  Width-1:0] data        [];
  logic [Bytes*8-1:0] word;
  string              folder;
  int                 file;
  int unsigned        n_data = 0;

  initial begin
    if ($value$plusargs("qnn_golden=%s", folder)) begin
      file = $fopen({folder, "/", FileName}, "rb");
      if (file == 0) $fatal(1, "qnn_tb_source: cannot open %s/%s", folder, FileName);
      void'($fseek(file, 0, 2));
      n_data = $ftell(file) / Bytes;
      void'($rewind(file));
      data = new[n_data];
      for (int unsigned i = 0; i < n_data; i++) begin
        void'($fread(word, file));
        data[i] = word[Width-1:0];
      end
      $fclose(file);
    end
  end

  logic [31:0] random;
  logic [31:0] index;  // into data: the next beat
  logic [31:0] beat;  // of the frame: the next beat
  logic [31:0] frame;  // the next beat's
  logic [63:0] first_cycle;
  logic        pause;
  logic        offer;

  assign m_axis_tkeep = '1;
  assign activity     = m_axis_tvalid && m_axis_tready && aresetn;
  assign done         = frame == frames && !m_axis_tvalid;
  assign pause        = stall != 0 && (random % 32'd1000) < stall;
  assign offer        = run && frame != frames && !pause && n_data != 0;

  always_ff @(posedge aclk) begin
    random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]} ^ {random[16:0], 15'd0};
    if (rewind_source || !aresetn) begin
      m_axis_tvalid <= 1'b0;
      beats         <= 32'd0;
      index         <= 32'd0;
      beat          <= 32'd0;
      frame         <= 32'd0;
      random        <= (seed * 32'h9E3779B1) | 32'd1;
    end else begin
      if (m_axis_tvalid && m_axis_tready) begin
        m_axis_tvalid <= 1'b0;
        beats         <= beats + 32'd1;
        if (beats == 32'd0) first_cycle <= cycle;
      end
      if ((!m_axis_tvalid || m_axis_tready) && offer) begin
        m_axis_tvalid <= 1'b1;
        m_axis_tdata  <= data[index];
        m_axis_tlast  <= (tlast_mode != 2 && beat == Beats - 1 &&
                          ((frame + 1) % frames_per_transfer == 0 || frame + 1 == frames)) ||
                         (tlast_mode == 1 && beat == 0 && Beats > 1 && (frame == 1 || frames == 1));
        index         <= (index + 1 == n_data) ? 32'd0 : index + 32'd1;
        beat          <= (beat == Beats - 1) ? 32'd0 : beat + 32'd1;
        if (beat == Beats - 1) frame <= frame + 32'd1;
      end
    end
    if (report && events != 0)
      $fwrite(events, "source beats=%0d done=%0d first=%0d valid=%0d ready=%0d\n", beats, done, first_cycle,
              m_axis_tvalid, m_axis_tready);
  end
endmodule
