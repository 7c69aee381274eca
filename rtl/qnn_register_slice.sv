// SPDX-License-Identifier: Apache-2.0
//
// Register slice (skid buffer): cuts the valid, data and ready paths of a stream.
//
//   m[i] = s[i]
//
// Contract: order kept; one beat per cycle sustained; latency 1 cycle; holds at most two beats. No combinational
// path between the two sides: s_axis_tready, m_axis_tvalid and m_axis_tdata are registers. In reset both
// s_axis_tready and m_axis_tvalid are low; s_axis_tready rises one cycle after reset ends.
//
// Width: bits of a beat, >= 1
module qnn_register_slice #(
    parameter int unsigned Width = 8
) (
    input  logic             aclk,
    input  logic             aresetn,
    input  logic [Width-1:0] s_axis_tdata,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    output logic [Width-1:0] m_axis_tdata,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready
);

  if (Width < 1) begin : g_error_width
    $error("qnn_register_slice: Width=%0d is below 1", Width);
  end

  logic [Width-1:0] skid_data;
  logic             skid_valid;
  logic             accept;
  logic             advance;

  assign accept  = s_axis_tvalid && s_axis_tready;
  assign advance = m_axis_tready || !m_axis_tvalid;

  always_ff @(posedge aclk) begin : control
    if (!aresetn) begin
      s_axis_tready <= 1'b0;
      m_axis_tvalid <= 1'b0;
      skid_valid    <= 1'b0;
    end else if (advance) begin
      s_axis_tready <= 1'b1;
      m_axis_tvalid <= skid_valid || accept;
      skid_valid    <= 1'b0;
    end else begin
      // The output is blocked: a beat accepted now waits in the skid register, and no further one is taken.
      s_axis_tready <= !(skid_valid || accept);
      skid_valid    <= skid_valid || accept;
    end
  end

  always_ff @(posedge aclk) begin : data
    if (advance) m_axis_tdata <= skid_valid ? skid_data : s_axis_tdata;
    if (accept) skid_data <= s_axis_tdata;
  end

endmodule
