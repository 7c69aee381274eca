// SPDX-License-Identifier: Apache-2.0
// Simulation only: one stage of the HLS C++ behind AXI4-Streams, a whole frame at a time, through DPI (dpi.cpp).
//
// Contract: beats of a frame are collected on every input; when all inputs have theirs and the last frame has left every
// output, the C++ function runs once and its frame is offered on every output. Meanwhile the inputs take the next frame.
// TVALID never waits for TREADY; m_axis_* are registered, s_axis_tready depends on registers only. Inputs and outputs
// move independently of each other. aresetn (synchronous, low) drops the frame under way, in and out.
// A frame takes max(beats in, beats out) + 1 cycles: an artefact of this module, not a property of the hardware.
// Several inputs (outputs) lie side by side, each in InWidth (OutWidth) bits of tdata, input 0 in the LSBs.
// Used by the generated hls/cosim/qnn_core.sv; tested in tests/simulation/test_hls.py.
module qnn_hls_stage #(
    parameter                               Name      = "stage",           // in the stage table
    parameter int unsigned                  Inputs    = 1,
    parameter int unsigned                  Outputs   = 1,
    parameter int unsigned                  InWidth   = 8,                 // bits of the widest input's beat
    parameter int unsigned                  OutWidth  = 8,                 // bits of the widest output's beat
    parameter bit          [ Inputs*32-1:0] InWidths  = {Inputs{32'd8}},   // bits of a beat, 32 bits an input
    parameter bit          [ Inputs*32-1:0] InBeats   = {Inputs{32'd1}},   // beats of a frame, likewise
    parameter bit          [Outputs*32-1:0] OutWidths = {Outputs{32'd8}},
    parameter bit          [Outputs*32-1:0] OutBeats  = {Outputs{32'd1}}
) (
    input  logic                        aclk,
    input  logic                        aresetn,
    input  logic [  Inputs*InWidth-1:0] s_axis_tdata,
    input  logic [          Inputs-1:0] s_axis_tvalid,
    output logic [          Inputs-1:0] s_axis_tready,
    output logic [Outputs*OutWidth-1:0] m_axis_tdata,
    output logic [         Outputs-1:0] m_axis_tvalid,
    input  logic [         Outputs-1:0] m_axis_tready
);
  localparam int unsigned InWords = (InWidth + 31) / 32;
  localparam int unsigned OutWords = (OutWidth + 31) / 32;

  // Returns the stage's number, -1 if the table has none of this name.
  import "DPI-C" function int qnn_hls_open(input string name);
  // Returns 1 if the table has this port with this width and number of beats, else 0.
  import "DPI-C" function int qnn_hls_check(
    input int stage,
    input int is_output,
    input int port,
    input int width,
    input int beats
  );
  import "DPI-C" function void qnn_hls_put(
    input int stage,
    input int port,
    input int beat,
    input int word,
    input int unsigned value
  );
  import "DPI-C" function int unsigned qnn_hls_get(
    input int stage,
    input int port,
    input int beat,
    input int word
  );
  import "DPI-C" function void qnn_hls_run(input int stage);

  int    stage;
  string name = Name;

  initial begin
    stage = qnn_hls_open(name);
    if (stage < 0) $fatal(1, "stage %s is not in the compiled HLS code", name);
    for (int unsigned i = 0; i < Inputs; i++) check(0, i, InWidths[i*32+:32], InBeats[i*32+:32]);
    for (int unsigned i = 0; i < Outputs; i++) check(1, i, OutWidths[i*32+:32], OutBeats[i*32+:32]);
  end

  function automatic void check(int is_output, int port, int width, int beats);
    if (qnn_hls_check(stage, is_output, port, width, beats) == 0)
      $fatal(1, "stage %s: %s %0d of the compiled HLS code is not %0d beats of %0d bits", name,
             (is_output != 0) ? "output" : "input", port, beats, width);
  endfunction

  logic [       31:0] received[ Inputs];  // beats of the frame that comes in
  logic [       31:0] offered [Outputs];  // beats of the frame that goes out, the one on offer included
  logic [ Inputs-1:0] complete;
  logic [Outputs-1:0] free;
  logic               start;

  always_comb begin
    for (int unsigned i = 0; i < Inputs; i++) complete[i] = received[i] == InBeats[i*32+:32];
    for (int unsigned i = 0; i < Outputs; i++)
      free[i] = !m_axis_tvalid[i] || (m_axis_tready[i] && offered[i] == OutBeats[i*32+:32]);
  end

  assign s_axis_tready = ~complete;
  assign start         = &complete && &free;

  function automatic logic [OutWidth-1:0] beat_out(int port, int beat);
    logic [OutWords*32-1:0] words;
    logic unused_bits;
    for (int unsigned i = 0; i < OutWords; i++) words[i*32+:32] = qnn_hls_get(stage, port, beat, i);
    unused_bits = &{1'b0, words};
    return words[OutWidth-1:0];
  endfunction

  function automatic void beat_in(int port, int beat, logic [InWidth-1:0] data);
    logic [InWords*32-1:0] words;
    words = (InWords * 32)'(data);
    for (int unsigned i = 0; i < InWords; i++) qnn_hls_put(stage, port, beat, i, words[i*32+:32]);
  endfunction

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      for (int unsigned i = 0; i < Inputs; i++) received[i] <= 32'd0;
      m_axis_tvalid <= '0;
    end else begin
      for (int unsigned i = 0; i < Inputs; i++)
        if (s_axis_tvalid[i] && s_axis_tready[i]) begin
          beat_in(i, received[i], s_axis_tdata[i*InWidth+:InWidth]);
          received[i] <= received[i] + 32'd1;
        end
      for (int unsigned i = 0; i < Outputs; i++)
        if (m_axis_tvalid[i] && m_axis_tready[i]) begin
          m_axis_tvalid[i] <= offered[i] != OutBeats[i*32+:32];
          if (offered[i] != OutBeats[i*32+:32]) begin
            m_axis_tdata[i*OutWidth+:OutWidth] <= beat_out(i, offered[i]);
            offered[i] <= offered[i] + 32'd1;
          end
        end
      if (start) begin
        qnn_hls_run(stage);
        for (int unsigned i = 0; i < Inputs; i++) received[i] <= 32'd0;
        for (int unsigned i = 0; i < Outputs; i++) begin
          m_axis_tvalid[i] <= 1'b1;
          m_axis_tdata[i*OutWidth+:OutWidth] <= beat_out(i, 0);
          offered[i] <= 32'd1;
        end
      end
    end
  end
endmodule
