// SPDX-License-Identifier: Apache-2.0
// Testbench: clock, reset and the course of one run. Not synthesizable.
//
// Python sets the cfg_* registers, raises start and waits for done; nothing in Python happens per cycle. A run is
//   reset (16 cycles) -> frames -> quiet for cfg_drain cycles -> report (every part writes its lines) -> done.
// cfg_abort_mode 1 pulls aresetn once when cfg_abort_beats input beats were accepted and then runs from the start;
// 2 resets the source there, as a driver resets its DMA, and raises paused, so that Python can do a soft reset and
// set resume.
// No handshake anywhere for cfg_watchdog cycles, or cfg_limit cycles in all, end the run with hung = 1.
// The event file (+qnn_events=FILE) has one line a fact: `kind key=value ...`; read by bench/events.py.
module qnn_tb_control (
    output logic            aclk,
    output logic            aresetn,
    input  logic            source_done,    // all beats were accepted
    input  logic            sink_done,      // all frames came out
    input  logic            activity,       // some stream moved a beat in this cycle
    input  logic     [31:0] source_beats,   // beats accepted since the source was rewound
    output logic            run,            // source and sink work
    output logic            rewind_source,  // one cycle: the source begins with frame 0 again
    output logic            report,         // one cycle: write the lines
    output int              events,         // file descriptor
    output logic     [63:0] cycle,          // cycles since the run's (last) reset
    output logic     [31:0] frames,
    output logic     [31:0] frames_per_transfer,
    output logic     [31:0] tlast_mode,
    output logic     [31:0] stall_in,
    output logic     [31:0] stall_out,
    output logic     [31:0] hold_out,
    output logic     [31:0] seed
);
  // Set by Python before start.
  logic [31:0] cfg_run  /*verilator public_flat_rw*/ = 0;  // the run's number, for the event file
  logic [31:0] cfg_frames  /*verilator public_flat_rw*/ = 1;
  logic [31:0] cfg_frames_per_transfer  /*verilator public_flat_rw*/ = 1;
  logic [31:0] cfg_tlast_mode  /*verilator public_flat_rw*/ = 0;  // 0 each transfer, 1 also in mid-frame, 2 never
  logic [31:0] cfg_stall_in  /*verilator public_flat_rw*/ = 0;  // per mille of cycles in which the source waits
  logic [31:0] cfg_stall_out  /*verilator public_flat_rw*/ = 0;  // per mille of cycles in which the sink is not ready
  logic [31:0] cfg_hold_out  /*verilator public_flat_rw*/ = 0;  // cycles without ready after a frame, see the sink
  logic [31:0] cfg_seed  /*verilator public_flat_rw*/ = 1;
  logic [31:0] cfg_abort_mode  /*verilator public_flat_rw*/ = 0;
  logic [31:0] cfg_abort_beats  /*verilator public_flat_rw*/ = 0;
  logic [31:0] cfg_watchdog  /*verilator public_flat_rw*/ = 20000;
  logic [31:0] cfg_limit  /*verilator public_flat_rw*/ = 0;  // 0: no limit
  logic [31:0] cfg_drain  /*verilator public_flat_rw*/ = 256;
  logic start  /*verilator public_flat_rw*/ = 0;
  logic resume  /*verilator public_flat_rw*/ = 0;
  // Read by Python.
  logic done  /*verilator public_flat_rw*/ = 0;
  logic paused  /*verilator public_flat_rw*/ = 0;

  typedef enum logic [2:0] {
    Idle,
    Reset,
    Run,
    Paused,
    Report,
    Finish
  } state_t;

  state_t        state = Idle;
  logic   [ 4:0] reset_count = 0;
  logic          aborted = 0;
  logic          hung = 0;
  logic   [31:0] quiet = 0;
  string         file_name;

  assign frames              = cfg_frames;
  assign frames_per_transfer = cfg_frames_per_transfer;
  assign tlast_mode          = cfg_tlast_mode;
  assign stall_in            = cfg_stall_in;
  assign stall_out           = cfg_stall_out;
  assign hold_out            = cfg_hold_out;
  assign seed                = cfg_seed;
  assign run                 = state == Run;

  initial begin
    aclk          = 1'b0;
    aresetn       = 1'b0;
    rewind_source = 1'b1;
    report        = 1'b0;
    cycle         = 64'd0;
    events        = 0;
    if ($value$plusargs("qnn_events=%s", file_name)) events = $fopen(file_name, "w");
  end

  always #5 aclk = !aclk;

  always_ff @(posedge aclk) begin
    report        <= 1'b0;
    rewind_source <= 1'b0;
    cycle         <= cycle + 64'd1;
    quiet         <= activity ? 32'd0 : quiet + 32'd1;
    case (state)
      Idle: begin
        aresetn <= 1'b1;
        if (start) begin
          start       <= 1'b0;
          done        <= 1'b0;
          aborted     <= 1'b0;
          hung        <= 1'b0;
          reset_count <= 5'd0;
          state       <= Reset;
        end
      end
      Reset: begin
        aresetn       <= 1'b0;
        rewind_source <= 1'b1;
        reset_count   <= reset_count + 5'd1;
        if (reset_count == 5'd16) begin
          aresetn <= 1'b1;
          state   <= Run;
          cycle   <= 64'd0;
          quiet   <= 32'd0;
        end
      end
      Run:
      if (cfg_abort_mode != 0 && !aborted && source_beats >= cfg_abort_beats) begin
        aborted     <= 1'b1;
        reset_count <= 5'd0;
        if (cfg_abort_mode == 1) begin
          aresetn <= 1'b0;
          state   <= Reset;
        end else begin
          paused        <= 1'b1;
          rewind_source <= 1'b1;
          state         <= Paused;
        end
      end else if (source_done && sink_done && quiet >= cfg_drain) begin
        state  <= Report;
        report <= 1'b1;
      end else if (quiet >= cfg_watchdog || (cfg_limit != 0 && cycle >= {32'd0, cfg_limit})) begin
        hung   <= 1'b1;
        state  <= Report;
        report <= 1'b1;
      end
      Paused:
      if (resume) begin
        resume        <= 1'b0;
        paused        <= 1'b0;
        rewind_source <= 1'b1;
        cycle         <= 64'd0;
        quiet         <= 32'd0;
        state         <= Run;
      end
      Report: state <= Finish;
      Finish: begin
        if (events != 0) begin
          $fwrite(events, "run id=%0d cycles=%0d quiet=%0d hung=%0d aborted=%0d\n", cfg_run, cycle, quiet, hung,
                  aborted);
          $fflush(events);
        end
        done  <= 1'b1;
        state <= Idle;
      end
      default: state <= Idle;
    endcase
  end
endmodule
