// SPDX-License-Identifier: Apache-2.0
// The top of the shell's tests: a core that queues each frame's element sum and delivers sum, sum + 1, ... as OutWords
// words. It takes up to 256 frames before it stops the input. The test fills in the numbers between @ signs.
module qnn_top #(
    parameter bit          Counters      = 1'b0,
    parameter int unsigned DmaWidth      = @DmaWidth@,
    parameter int unsigned WireWidth     = @WireWidth@,
    parameter int unsigned ElemWidth     = @ElemWidth@,
    parameter int unsigned FrameElements = @FrameElements@,
    parameter int unsigned CoreLanes     = @CoreLanes@,
    parameter int unsigned OutWords      = @OutWords@
) (
    input  logic                  aclk,
    input  logic                  aresetn,
    input  logic [          11:0] s_axil_awaddr,
    input  logic                  s_axil_awvalid,
    output logic                  s_axil_awready,
    input  logic [          31:0] s_axil_wdata,
    input  logic [           3:0] s_axil_wstrb,
    input  logic                  s_axil_wvalid,
    output logic                  s_axil_wready,
    output logic [           1:0] s_axil_bresp,
    output logic                  s_axil_bvalid,
    input  logic                  s_axil_bready,
    input  logic [          11:0] s_axil_araddr,
    input  logic                  s_axil_arvalid,
    output logic                  s_axil_arready,
    output logic [          31:0] s_axil_rdata,
    output logic [           1:0] s_axil_rresp,
    output logic                  s_axil_rvalid,
    input  logic                  s_axil_rready,
    input  logic [  DmaWidth-1:0] s_axis_tdata,
    input  logic [DmaWidth/8-1:0] s_axis_tkeep,
    input  logic                  s_axis_tlast,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    output logic [  DmaWidth-1:0] m_axis_tdata,
    output logic [DmaWidth/8-1:0] m_axis_tkeep,
    output logic                  m_axis_tlast,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready
);
  logic                           core_aresetn;
  logic [CoreLanes*ElemWidth-1:0] core_in_tdata;
  logic                           core_in_tvalid;
  logic                           core_in_tready;
  logic [                   31:0] core_out_tdata;
  logic                           core_out_tvalid;
  logic                           core_out_tready;
  logic [                   47:0] fifo_high_water;

  assign fifo_high_water = {16'd33, 16'd22, 16'd11};

  qnn_shell #(
      .DmaWidth     (DmaWidth),
      .WireWidth    (WireWidth),
      .ElemWidth    (ElemWidth),
      .FrameElements(FrameElements),
      .CoreLanes    (CoreLanes),
      .OutWords     (OutWords),
      .NumFifos     (3),
      .Counters     (Counters)
  ) u_shell (.*);

  logic [31:0] sums  [256];
  logic [ 7:0] write;
  logic [ 7:0] read;
  logic [ 8:0] count;
  logic [31:0] sum;
  logic [31:0] total;
  logic [31:0] beat;
  logic [31:0] word;
  logic        push;
  logic        pop;

  assign core_in_tready  = count != 9'd256;
  assign core_out_tvalid = count != 9'd0;
  assign core_out_tdata  = sums[read] + word;
  assign push            = core_in_tvalid && core_in_tready && beat == FrameElements / CoreLanes - 1;
  assign pop             = core_out_tvalid && core_out_tready && word == OutWords - 1;

  always_comb begin
    total = sum;
    for (int i = 0; i < CoreLanes; i++) total += 32'(core_in_tdata[i*ElemWidth+:ElemWidth]);
  end

  always_ff @(posedge aclk) begin
    if (!core_aresetn) begin
      write <= 8'd0;
      read  <= 8'd0;
      count <= 9'd0;
      sum   <= 32'd0;
      beat  <= 32'd0;
      word  <= 32'd0;
    end else begin
      if (core_in_tvalid && core_in_tready) begin
        sum  <= push ? 32'd0 : total;
        beat <= push ? 32'd0 : beat + 32'd1;
      end
      if (core_out_tvalid && core_out_tready) word <= pop ? 32'd0 : word + 32'd1;
      if (push) write <= write + 8'd1;
      if (pop) read <= read + 8'd1;
      count <= count + 9'(push) - 9'(pop);
    end
    if (push) sums[write] <= total;
  end
endmodule
