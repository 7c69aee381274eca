// SPDX-License-Identifier: Apache-2.0
//
// One stream for several readers.
//
//   m_k[i] = s[i] for every output k
//
// Contract: order kept; one beat per cycle while every output takes one; latency 1 cycle. Each output is offered by
// itself: one that has taken the beat waits without a valid beat until the others have taken it too, then all get the
// next; beats that outputs have to take ahead of others need queues behind them. m_axis_tdata and m_axis_tvalid are
// registers and wait for no ready; s_axis_tready depends combinationally on m_axis_tready. Reset drops the held beat.
// Output k is bit k of m_axis_tvalid and m_axis_tready, and Width bits at k*Width of m_axis_tdata.
//
// Width:   bits of a beat, >= 1
// Outputs: readers, >= 2
module qnn_duplicate #(
    parameter int unsigned Width   = 8,
    parameter int unsigned Outputs = 2
) (
    input  logic                     aclk,
    input  logic                     aresetn,
    input  logic [        Width-1:0] s_axis_tdata,
    input  logic                     s_axis_tvalid,
    output logic                     s_axis_tready,
    output logic [Outputs*Width-1:0] m_axis_tdata,
    output logic [      Outputs-1:0] m_axis_tvalid,
    input  logic [      Outputs-1:0] m_axis_tready
);

  if (Width < 1) begin : g_error_width
    $error("qnn_duplicate: Width=%0d is below 1", Width);
  end
  if (Outputs < 2) begin : g_error_outputs
    $error("qnn_duplicate: Outputs=%0d is below 2", Outputs);
  end

  logic [Width-1:0] beat;

  // A bit of m_axis_tvalid is an output that has not taken the beat yet.
  assign s_axis_tready = &(~m_axis_tvalid | m_axis_tready);
  assign m_axis_tdata  = {Outputs{beat}};

  always_ff @(posedge aclk) begin : control
    if (!aresetn) m_axis_tvalid <= '0;
    else if (s_axis_tready) m_axis_tvalid <= {Outputs{s_axis_tvalid}};
    else m_axis_tvalid <= m_axis_tvalid & ~m_axis_tready;
  end

  always_ff @(posedge aclk) begin : data
    if (s_axis_tready) beat <= s_axis_tdata;
  end

endmodule
