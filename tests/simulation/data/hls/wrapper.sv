// SPDX-License-Identifier: Apache-2.0
// The summing core around the Verilog of qnn_hls_core.v, as hls/rtl/qnn_core.sv of a build.
module qnn_core #(
    parameter int unsigned FrameElements = 60
) (
    input  logic        aclk,
    input  logic        aresetn,
    input  logic [31:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    output logic [31:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic [15:0] fifo_high_water
);
  assign fifo_high_water = 16'd0;

  qnn_hls_core u_hls (
      .ap_clk       (aclk),
      .ap_rst_n     (aresetn),
      .s_axis_TDATA (s_axis_tdata),
      .s_axis_TVALID(s_axis_tvalid),
      .s_axis_TREADY(s_axis_tready),
      .m_axis_TDATA (m_axis_tdata),
      .m_axis_TVALID(m_axis_tvalid),
      .m_axis_TREADY(m_axis_tready)
  );

  logic unused_parameter;
  assign unused_parameter = &{1'b0, FrameElements};
endmodule
