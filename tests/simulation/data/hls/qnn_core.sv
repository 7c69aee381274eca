// SPDX-License-Identifier: Apache-2.0
// The summing core of the simulation tests with its stages in C++ (stages.cpp), as hls/cosim/qnn_core.sv of a build.
//
// input (4 x u8) -> pairs (2 x u9) -> split: left (a frame in one beat), right (1 x u9) -> quads (1 x u10) -> sum.
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
  localparam bit [31:0] Beats = FrameElements / 4;

  logic [ 17:0] pairs_tdata;
  logic         pairs_tvalid;
  logic         pairs_tready;
  logic [134:0] left_tdata;
  logic         left_tvalid;
  logic         left_tready;
  logic [  8:0] right_tdata;
  logic         right_tvalid;
  logic         right_tready;
  logic [125:0] right_unused;
  logic [  9:0] quads_tdata;
  logic         quads_tvalid;
  logic         quads_tready;

  assign fifo_high_water = 16'd0;

  qnn_hls_stage #(
      .Name     ("pairs"),
      .InWidth  (32),
      .OutWidth (18),
      .InWidths (32'd32),
      .InBeats  (Beats),
      .OutWidths(32'd18),
      .OutBeats (Beats)
  ) u_pairs (
      .aclk         (aclk),
      .aresetn      (aresetn),
      .s_axis_tdata (s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .m_axis_tdata (pairs_tdata),
      .m_axis_tvalid(pairs_tvalid),
      .m_axis_tready(pairs_tready)
  );

  qnn_hls_stage #(
      .Name     ("split"),
      .Outputs  (2),
      .InWidth  (18),
      .OutWidth (135),
      .InWidths (32'd18),
      .InBeats  (Beats),
      .OutWidths({32'd9, 32'd135}),
      .OutBeats ({Beats, 32'd1})
  ) u_split (
      .aclk         (aclk),
      .aresetn      (aresetn),
      .s_axis_tdata (pairs_tdata),
      .s_axis_tvalid(pairs_tvalid),
      .s_axis_tready(pairs_tready),
      .m_axis_tdata ({right_unused, right_tdata, left_tdata}),
      .m_axis_tvalid({right_tvalid, left_tvalid}),
      .m_axis_tready({right_tready, left_tready})
  );

  qnn_hls_stage #(
      .Name     ("quads"),
      .Inputs   (2),
      .InWidth  (135),
      .OutWidth (10),
      .InWidths ({32'd9, 32'd135}),
      .InBeats  ({Beats, 32'd1}),
      .OutWidths(32'd10),
      .OutBeats (Beats)
  ) u_quads (
      .aclk         (aclk),
      .aresetn      (aresetn),
      .s_axis_tdata ({126'd0, right_tdata, left_tdata}),
      .s_axis_tvalid({right_tvalid, left_tvalid}),
      .s_axis_tready({right_tready, left_tready}),
      .m_axis_tdata (quads_tdata),
      .m_axis_tvalid(quads_tvalid),
      .m_axis_tready(quads_tready)
  );

  qnn_hls_stage #(
      .Name     ("sum"),
      .InWidth  (10),
      .OutWidth (32),
      .InWidths (32'd10),
      .InBeats  (Beats),
      .OutWidths(32'd32),
      .OutBeats (32'd1)
  ) u_sum (
      .aclk         (aclk),
      .aresetn      (aresetn),
      .s_axis_tdata (quads_tdata),
      .s_axis_tvalid(quads_tvalid),
      .s_axis_tready(quads_tready),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
  );

  logic unused_bits;
  assign unused_bits = &{1'b0, right_unused};
endmodule
