// SPDX-License-Identifier: Apache-2.0
// The top of the simulation tests: shell and summing core; +defect=5 drops every TLAST at the outside output.
module qnn_top #(
    parameter bit          Counters      = 1'b0,
    parameter int unsigned FrameElements = 60
) (
    input  logic        aclk,
    input  logic        aresetn,
    input  logic [11:0] s_axil_awaddr,
    input  logic        s_axil_awvalid,
    output logic        s_axil_awready,
    input  logic [31:0] s_axil_wdata,
    input  logic [ 3:0] s_axil_wstrb,
    input  logic        s_axil_wvalid,
    output logic        s_axil_wready,
    output logic [ 1:0] s_axil_bresp,
    output logic        s_axil_bvalid,
    input  logic        s_axil_bready,
    input  logic [11:0] s_axil_araddr,
    input  logic        s_axil_arvalid,
    output logic        s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [ 1:0] s_axil_rresp,
    output logic        s_axil_rvalid,
    input  logic        s_axil_rready,
    input  logic [63:0] s_axis_tdata,
    input  logic [ 7:0] s_axis_tkeep,
    input  logic        s_axis_tlast,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    output logic [63:0] m_axis_tdata,
    output logic [ 7:0] m_axis_tkeep,
    output logic        m_axis_tlast,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready
);
  int defect = 0;
  initial if (!$value$plusargs("defect=%d", defect)) defect = 0;

  logic        core_aresetn;
  logic [31:0] core_in_tdata;
  logic        core_in_tvalid;
  logic        core_in_tready;
  logic [31:0] core_out_tdata;
  logic        core_out_tvalid;
  logic        core_out_tready;
  logic [15:0] fifo_high_water;
  logic        shell_tlast;

  assign m_axis_tlast = shell_tlast && defect != 5;

  qnn_shell #(
      .DmaWidth     (64),
      .WireWidth    (8),
      .ElemWidth    (8),
      .FrameElements(FrameElements),
      .CoreLanes    (4),
      .OutWords     (1),
      .NumFifos     (1),
      .Counters     (Counters)
  ) u_shell (
      .m_axis_tlast(shell_tlast),
      .*
  );

  qnn_core #(
      .FrameElements(FrameElements)
  ) u_core (
      .aclk           (aclk),
      .aresetn        (core_aresetn),
      .s_axis_tdata   (core_in_tdata),
      .s_axis_tvalid  (core_in_tvalid),
      .s_axis_tready  (core_in_tready),
      .m_axis_tdata   (core_out_tdata),
      .m_axis_tvalid  (core_out_tvalid),
      .m_axis_tready  (core_out_tready),
      .fifo_high_water(fifo_high_water)
  );
endmodule
