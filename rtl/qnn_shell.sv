// SPDX-License-Identifier: Apache-2.0
// The shell of an accelerator: DMA streams and AXI4-Lite outside, the core's plain streams inside.
//
//   outside in -> qnn_frame_unpack -> core -> qnn_frame_pack -> outside out;  qnn_axil_registers beside it
//
// Contract (the same for RTL and HLS cores):
//   Elements are packed NHWC, WireWidth bits each, element 0 in the LSBs; every frame starts on a beat and is
//   zero-padded to whole beats. The output is OutWords 32-bit words a frame, padded likewise, TKEEP all ones.
//   TLAST marks the end of a transfer of one or more frames: the frame whose last input beat carried TLAST is the frame
//   whose last output beat carries it. Up to 64 frames may be inside; then the input waits. Frame ends are counted, not
//   read from TLAST; a TLAST inside a frame is dropped and sets errors.tlast_mid_frame.
//   core_aresetn is low while aresetn is low and for 16 cycles of a soft reset, plus one cycle; meanwhile s_axis_tready
//   is low, and from its second cycle on m_axis_tvalid is low (a beat that waits is withdrawn) and the counters are zero.
// m_axis_*, s_axil_* outputs, core_in_tdata/tvalid and core_aresetn are registered; the two TREADYs towards the sources
// depend on the TREADY behind them in the same cycle. Adds 1 cycle before and 1 cycle behind the core.
// Used by the generated qnn_top (instance u_shell); tested in tests/rtl/test_shell.py.
module qnn_shell #(
    parameter int unsigned DmaWidth      = 64,               // bits of an outside beat: 64 or 128
    parameter int unsigned WireWidth     = 8,                // bits of an outside input element: 1, 2, 4, 8 or 16
    parameter int unsigned ElemWidth     = 8,                // bits of an input element inside, 1 .. WireWidth
    parameter int unsigned FrameElements = 64,               // input elements of a frame
    parameter int unsigned CoreLanes     = 8,                // input elements of a core beat, see qnn_frame_unpack
    parameter int unsigned OutWords      = 1,                // 32-bit words of a result: 1 or the number of classes
    parameter int unsigned NumFifos      = 0,                // FIFOs with a high-water mark, 0 .. 960
    parameter bit          Counters      = 1'b0,             // 1: the high-water marks can be read
    parameter              HashFile      = "graph_hash.mem"  // the build's hash, see qnn_hash_rom
) (
    input  logic                                          aclk,
    input  logic                                          aresetn,
    input  logic [                                  11:0] s_axil_awaddr,
    input  logic                                          s_axil_awvalid,
    output logic                                          s_axil_awready,
    input  logic [                                  31:0] s_axil_wdata,
    input  logic [                                   3:0] s_axil_wstrb,
    input  logic                                          s_axil_wvalid,
    output logic                                          s_axil_wready,
    output logic [                                   1:0] s_axil_bresp,
    output logic                                          s_axil_bvalid,
    input  logic                                          s_axil_bready,
    input  logic [                                  11:0] s_axil_araddr,
    input  logic                                          s_axil_arvalid,
    output logic                                          s_axil_arready,
    output logic [                                  31:0] s_axil_rdata,
    output logic [                                   1:0] s_axil_rresp,
    output logic                                          s_axil_rvalid,
    input  logic                                          s_axil_rready,
    input  logic [                          DmaWidth-1:0] s_axis_tdata,
    input  logic [                        DmaWidth/8-1:0] s_axis_tkeep,
    input  logic                                          s_axis_tlast,
    input  logic                                          s_axis_tvalid,
    output logic                                          s_axis_tready,
    output logic [                          DmaWidth-1:0] m_axis_tdata,
    output logic [                        DmaWidth/8-1:0] m_axis_tkeep,
    output logic                                          m_axis_tlast,
    output logic                                          m_axis_tvalid,
    input  logic                                          m_axis_tready,
    // the core's side
    output logic                                          core_aresetn,
    output logic [               CoreLanes*ElemWidth-1:0] core_in_tdata,
    output logic                                          core_in_tvalid,
    input  logic                                          core_in_tready,
    input  logic [                                  31:0] core_out_tdata,
    input  logic                                          core_out_tvalid,
    output logic                                          core_out_tready,
    input  logic [((NumFifos > 0) ? NumFifos*16 : 1)-1:0] fifo_high_water
);
  localparam int unsigned FlagDepth = 64;

  // Reset of core and data path: registered once, for its fan-out. The outside handshakes wait for it, too, so that
  // no beat is accepted that the data path would lose.
  logic       soft_reset;
  logic [3:0] reset_left;
  logic       soft_reset_active;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      reset_left        <= 4'd0;
      soft_reset_active <= 1'b0;
    end else if (soft_reset) begin
      reset_left        <= 4'd15;
      soft_reset_active <= 1'b1;
    end else if (reset_left != 4'd0) begin
      reset_left <= reset_left - 4'd1;
    end else begin
      soft_reset_active <= 1'b0;
    end
    core_aresetn <= aresetn && !soft_reset && !soft_reset_active;
  end

  // Input side.
  logic in_valid;
  logic in_ready;
  logic in_take;
  logic in_frame_last;
  logic flags_full;

  assign in_valid      = s_axis_tvalid && core_aresetn && !flags_full;
  assign s_axis_tready = in_ready && core_aresetn && !flags_full;
  assign in_take       = s_axis_tvalid && s_axis_tready;

  qnn_frame_unpack #(
      .DmaWidth     (DmaWidth),
      .WireWidth    (WireWidth),
      .ElemWidth    (ElemWidth),
      .FrameElements(FrameElements),
      .CoreLanes    (CoreLanes)
  ) u_unpack (
      .aclk         (aclk),
      .aresetn      (core_aresetn),
      .s_axis_tdata (s_axis_tdata),
      .s_axis_tvalid(in_valid),
      .s_axis_tready(in_ready),
      .frame_last   (in_frame_last),
      .m_axis_tdata (core_in_tdata),
      .m_axis_tvalid(core_in_tvalid),
      .m_axis_tready(core_in_tready)
  );

  // The TLAST of each frame inside, oldest first. A full queue stops the input, an empty one the end of an output frame.
  logic       flags         [FlagDepth];
  logic [5:0] flags_write;
  logic [5:0] flags_read;
  logic [6:0] flags_count;
  logic       flags_push;
  logic       flags_pop;

  assign flags_push = in_take && in_frame_last;
  assign flags_full = flags_count[6];

  always_ff @(posedge aclk) begin
    if (!core_aresetn) begin
      flags_write <= 6'd0;
      flags_read  <= 6'd0;
      flags_count <= 7'd0;
    end else begin
      if (flags_push) flags_write <= flags_write + 6'd1;
      if (flags_pop) flags_read <= flags_read + 6'd1;
      if (flags_push && !flags_pop) flags_count <= flags_count + 7'd1;
      else if (flags_pop && !flags_push) flags_count <= flags_count - 7'd1;
    end
    if (flags_push) flags[flags_write] <= s_axis_tlast;
  end

  // Output side.
  logic packed_valid;
  logic frame_done;

  assign m_axis_tvalid = packed_valid;

  qnn_frame_pack #(
      .DmaWidth(DmaWidth),
      .OutWords(OutWords)
  ) u_pack (
      .aclk             (aclk),
      .aresetn          (core_aresetn),
      .s_axis_tdata     (core_out_tdata),
      .s_axis_tvalid    (core_out_tvalid),
      .s_axis_tready    (core_out_tready),
      .frame_tlast      (flags[flags_read]),
      .frame_tlast_valid(flags_count != 7'd0),
      .frame_tlast_take (flags_pop),
      .m_axis_tdata     (m_axis_tdata),
      .m_axis_tkeep     (m_axis_tkeep),
      .m_axis_tlast     (m_axis_tlast),
      .m_axis_tvalid    (packed_valid),
      .m_axis_tready    (m_axis_tready),
      .frame_done       (frame_done)
  );

  // Counters.
  logic [63:0] cycles;
  logic [31:0] frames_in;
  logic [31:0] frames_out;
  logic        in_frame;  // a frame is partly accepted
  logic        started;  // the first input beat was accepted
  logic        delivered;  // the first frame was delivered
  logic [31:0] since_start;
  logic [31:0] since_frame;
  logic [31:0] frame_interval;
  logic [31:0] first_latency;
  logic [ 3:0] status;
  logic [ 1:0] error_set;

  always_ff @(posedge aclk) begin
    if (!core_aresetn) begin
      cycles         <= 64'd0;
      frames_in      <= 32'd0;
      frames_out     <= 32'd0;
      in_frame       <= 1'b0;
      started        <= 1'b0;
      delivered      <= 1'b0;
      since_start    <= 32'd1;
      since_frame    <= 32'd1;
      frame_interval <= 32'd0;
      first_latency  <= 32'd0;
      status         <= 4'b0010;
      error_set      <= 2'b00;
    end else begin
      cycles <= cycles + 64'd1;
      if (in_take) begin
        in_frame <= !in_frame_last;
        started  <= 1'b1;
      end
      if (flags_push) frames_in <= frames_in + 32'd1;
      if (started) since_start <= since_start + 32'd1;
      since_frame <= frame_done ? 32'd1 : since_frame + 32'd1;
      if (frame_done) begin
        frames_out <= frames_out + 32'd1;
        delivered  <= 1'b1;
        if (delivered) frame_interval <= since_frame;
        else first_latency <= since_start;
      end
      status <= {m_axis_tvalid && !m_axis_tready, s_axis_tvalid && !s_axis_tready, 1'b0,
                 in_frame || frames_in != frames_out};
      error_set <= {in_take && !(&s_axis_tkeep), in_take && s_axis_tlast && !in_frame_last};
    end
  end

  logic [127:0] graph_hash;
  qnn_hash_rom #(.InitFile(HashFile)) u_hash (.hash(graph_hash));

  qnn_axil_registers #(
      .NumFifos(NumFifos),
      .Counters(Counters)
  ) u_registers (
      .aclk             (aclk),
      .aresetn          (aresetn),
      .s_axil_awaddr    (s_axil_awaddr),
      .s_axil_awvalid   (s_axil_awvalid),
      .s_axil_awready   (s_axil_awready),
      .s_axil_wdata     (s_axil_wdata),
      .s_axil_wstrb     (s_axil_wstrb),
      .s_axil_wvalid    (s_axil_wvalid),
      .s_axil_wready    (s_axil_wready),
      .s_axil_bresp     (s_axil_bresp),
      .s_axil_bvalid    (s_axil_bvalid),
      .s_axil_bready    (s_axil_bready),
      .s_axil_araddr    (s_axil_araddr),
      .s_axil_arvalid   (s_axil_arvalid),
      .s_axil_arready   (s_axil_arready),
      .s_axil_rdata     (s_axil_rdata),
      .s_axil_rresp     (s_axil_rresp),
      .s_axil_rvalid    (s_axil_rvalid),
      .s_axil_rready    (s_axil_rready),
      .graph_hash       (graph_hash),
      .soft_reset       (soft_reset),
      .soft_reset_active(soft_reset_active),
      .status           (status),
      .error_set        (error_set),
      .frames_in        (frames_in),
      .frames_out       (frames_out),
      .cycles           (cycles),
      .frame_interval   (frame_interval),
      .first_latency    (first_latency),
      .fifo_high_water  (fifo_high_water)
  );
endmodule
