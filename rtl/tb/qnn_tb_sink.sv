// SPDX-License-Identifier: Apache-2.0
// Testbench: an AXI4-Stream sink that is ready at random and judges the outside output. Not synthesizable.
//
// `stall` is the share of cycles without TREADY. `hold` is a long pause after frame 0 and after about half of the others,
// so that the back-pressure of a result that comes once in many cycles reaches the whole pipeline.
// Values and handshake are judged by a qnn_tb_monitor (file _result.bin); here frames are counted from beats, TLAST is
// compared with the pattern qnn_tb_source was given, TKEEP must be all ones, TLAST and TKEEP must be stable while
// TVALID waits. One `frame` line a frame end with its cycle, one `sink` line at the report.
module qnn_tb_sink #(
    parameter int unsigned Width = 64,  // bits of a beat
    parameter int unsigned Beats = 1    // beats of a frame
) (
    input  logic               aclk,
    input  logic               aresetn,
    input  logic               core_aresetn,         // low: frames are counted from 0 again
    input  logic               run,
    input  logic               report,
    input  int                 events,
    input  logic [       63:0] cycle,
    input  logic [       31:0] frames,
    input  logic [       31:0] frames_per_transfer,
    input  logic [       31:0] tlast_mode,
    input  logic [       31:0] stall,                // per mille
    input  logic [       31:0] hold,                 // cycles
    input  logic [       31:0] seed,
    output logic               done,
    output logic               activity,
    input  logic [  Width-1:0] s_axis_tdata,
    input  logic [Width/8-1:0] s_axis_tkeep,
    input  logic               s_axis_tlast,
    input  logic               s_axis_tvalid,
    output logic               s_axis_tready
);
  logic [31:0] random;
  logic [31:0] held;  // cycles of the pause to come
  logic [31:0] beat;
  logic [31:0] frame;
  logic [31:0] tlast_errors;
  logic [31:0] first_tlast_error;  // frame
  logic [31:0] keep_errors;
  logic [31:0] unstable;
  logic        waiting;
  logic        waiting_last;
  logic        want_last;

  assign want_last = tlast_mode != 2 && beat == Beats - 1 &&
                     ((frame + 1) % frames_per_transfer == 0 || frame + 1 == frames);
  assign done      = frame >= frames;

  qnn_tb_monitor #(
      .Name ("_result"),
      .Width(Width)
  ) u_values (
      .aclk    (aclk),
      .aresetn (core_aresetn),
      .report  (report),
      .events  (events),
      .tdata   (s_axis_tdata),
      .tvalid  (s_axis_tvalid),
      .tready  (s_axis_tready),
      .activity(activity)
  );

  always_ff @(posedge aclk) begin
    random        <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]} ^ {random[16:0], 15'd0};
    s_axis_tready <= run && held == 0 && !(stall != 0 && (random % 32'd1000) < stall);
    if (held != 0) held <= held - 32'd1;
    if (s_axis_tvalid && s_axis_tready && beat == Beats - 1 && hold != 0 && (frame == 0 || random[7])) begin
      held          <= hold;
      s_axis_tready <= 1'b0;
    end
    if (!aresetn) begin
      held          <= 32'd0;
      random        <= (seed * 32'h85EBCA6B) | 32'd1;
      s_axis_tready <= 1'b0;
    end
    if (!core_aresetn) begin
      beat         <= 32'd0;
      frame        <= 32'd0;
      tlast_errors <= 32'd0;
      keep_errors  <= 32'd0;
      unstable     <= 32'd0;
      waiting      <= 1'b0;
    end else begin
      waiting      <= s_axis_tvalid && !s_axis_tready;
      waiting_last <= s_axis_tlast;
      if (waiting && s_axis_tvalid && s_axis_tlast != waiting_last) unstable <= unstable + 32'd1;
      if (s_axis_tvalid && s_axis_tready) begin
        if (s_axis_tkeep != '1) keep_errors <= keep_errors + 32'd1;
        if (s_axis_tlast != want_last) begin
          tlast_errors <= tlast_errors + 32'd1;
          if (tlast_errors == 0) first_tlast_error <= frame;
        end
        beat <= (beat == Beats - 1) ? 32'd0 : beat + 32'd1;
        if (beat == Beats - 1) begin
          frame <= frame + 32'd1;
          if (events != 0) $fwrite(events, "frame index=%0d cycle=%0d\n", frame, cycle);
        end
      end
    end
    if (report && events != 0)
      $fwrite(events, "sink frames=%0d tlast_errors=%0d first_tlast_error=%0d keep_errors=%0d unstable=%0d\n", frame,
              tlast_errors, first_tlast_error, keep_errors, unstable);
  end
endmodule
