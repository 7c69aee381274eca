// SPDX-License-Identifier: Apache-2.0
//
// Extends each accumulator to a 32-bit word, for builds whose output is the logits.
//
//   y = x as int32
//
// Contract: order kept; wires only: latency 0, nothing registered, valid and ready pass through. A width converter
// behind it makes one-word beats. Clock and reset are there for uniformity and not used.
//
// PE:       elements a beat, >= 1
// InWidth:  bits of an input element, 1..32
// InSigned: 1 = sign extension, 0 = zero extension
module qnn_logits #(
    parameter int unsigned PE       = 1,
    parameter int unsigned InWidth  = 8,
    parameter int unsigned InSigned = 1
) (
    input  logic                  aclk,
    input  logic                  aresetn,
    input  logic [PE*InWidth-1:0] s_axis_tdata,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    output logic [     PE*32-1:0] m_axis_tdata,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready
);

  if (PE < 1) begin : g_error_pe
    $error("qnn_logits: PE=%0d is below 1", PE);
  end
  if (InWidth < 1 || InWidth > 32) begin : g_error_in_width
    $error("qnn_logits: InWidth=%0d is outside 1..32", InWidth);
  end

  for (genvar p = 0; p < PE; p++) begin : g_pe
    if (InSigned != 0) begin : g_signed
      assign m_axis_tdata[p*32+:32] = 32'($signed(s_axis_tdata[p*InWidth+:InWidth]));
    end else begin : g_unsigned
      assign m_axis_tdata[p*32+:32] = 32'(s_axis_tdata[p*InWidth+:InWidth]);
    end
  end

  assign m_axis_tvalid = s_axis_tvalid;
  assign s_axis_tready = m_axis_tready;

  logic unused;
  assign unused = &{1'b0, aclk, aresetn};

endmodule
