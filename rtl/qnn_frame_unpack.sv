// SPDX-License-Identifier: Apache-2.0
// Outside beats -> the core's input beats: cuts wire elements out of DMA words and drops each frame's padding.
//
//   element k of a frame = s_axis_tdata[(k % L)*WireWidth +: ElemWidth] of beat k / L,  L = DmaWidth / WireWidth
//
// Contract: a frame is FrameElements elements and starts on a beat; what follows its last element in its last beat is
// dropped. Two shapes:
//   narrow (CoreLanes <= L): one outside beat becomes L / CoreLanes core beats;
//   wide   (CoreLanes >  L): CoreLanes / L outside beats become one core beat; a core beat of a whole frame
//                            (CoreLanes == FrameElements) may end inside an outside beat.
// Full throughput on the wider side; the wide shape holds one core beat and gathers the next one when it has left.
// Latency 1 cycle. m_axis_* registered; s_axis_tready depends on m_axis_tready in
// the same cycle. frame_last is combinational: the beat now on s_axis_* is the last one of its frame.
// Reset clears the counters and TVALID, not the data. Used by qnn_shell; tested in tests/rtl/test_shell.py.
module qnn_frame_unpack #(
    parameter int unsigned DmaWidth      = 64,  // bits of an outside beat, a multiple of WireWidth
    parameter int unsigned WireWidth     = 8,   // bits of an outside element: 1, 2, 4, 8 or 16
    parameter int unsigned ElemWidth     = 8,   // bits of a core element, 1 .. WireWidth: the low bits of the wire's
    parameter int unsigned FrameElements = 64,  // elements of a frame, a multiple of CoreLanes
    parameter int unsigned CoreLanes     = 8    // elements of a core beat
) (
    input  logic                           aclk,
    input  logic                           aresetn,
    input  logic [           DmaWidth-1:0] s_axis_tdata,
    input  logic                           s_axis_tvalid,
    output logic                           s_axis_tready,
    output logic                           frame_last,
    output logic [CoreLanes*ElemWidth-1:0] m_axis_tdata,
    output logic                           m_axis_tvalid,
    input  logic                           m_axis_tready
);
  localparam int unsigned Lanes = DmaWidth / WireWidth;
  localparam int unsigned Beats = (FrameElements + Lanes - 1) / Lanes;  // outside beats of a frame
  localparam int unsigned CoreBeats = FrameElements / CoreLanes;
  localparam int unsigned BeatBits = (Beats > 1) ? $clog2(Beats) : 1;

  if (DmaWidth % WireWidth != 0) begin : g_check_1
    $error("qnn_frame_unpack: DmaWidth=%0d is not a multiple of WireWidth=%0d", DmaWidth, WireWidth);
  end
  if (ElemWidth > WireWidth) begin : g_check_2
    $error("qnn_frame_unpack: ElemWidth=%0d exceeds WireWidth=%0d", ElemWidth, WireWidth);
  end
  if (FrameElements % CoreLanes != 0) begin : g_check_3
    $error("qnn_frame_unpack: CoreLanes=%0d does not divide FrameElements=%0d", CoreLanes, FrameElements);
  end

  logic [Lanes*ElemWidth-1:0] elements;  // the beat's elements without the wire's spare bits
  for (genvar i = 0; i < Lanes; i++) begin : g_elements
    assign elements[i*ElemWidth+:ElemWidth] = s_axis_tdata[i*WireWidth+:ElemWidth];
    if (ElemWidth < WireWidth) begin : g_spare
      logic unused_spare;
      assign unused_spare = &{1'b0, s_axis_tdata[i*WireWidth+ElemWidth+:WireWidth-ElemWidth]};
    end
  end

  logic take;  // an outside beat is accepted in this cycle
  assign take = s_axis_tvalid && s_axis_tready;

  if (Beats > 1) begin : g_position
    logic [BeatBits-1:0] beat;
    assign frame_last = beat == BeatBits'(Beats - 1);
    always_ff @(posedge aclk) begin
      if (!aresetn) beat <= '0;
      else if (take) beat <= frame_last ? '0 : beat + 1'b1;
    end
  end else begin : g_single
    assign frame_last = 1'b1;
  end

  if (CoreLanes <= Lanes) begin : g_narrow
    localparam int unsigned Chunks = Lanes / CoreLanes;
    localparam int unsigned LastChunks = CoreBeats - (Beats - 1) * Chunks;  // of a frame's last beat
    localparam int unsigned ChunkBits = $clog2(Chunks + 1);
    if (Lanes % CoreLanes != 0 && CoreBeats != 1) begin : g_check_4
      $error("qnn_frame_unpack: CoreLanes=%0d does not divide the %0d elements of a beat", CoreLanes, Lanes);
    end

    logic [Lanes*ElemWidth-1:0] held;
    logic [Lanes*ElemWidth-1:0] shifted;  // held without its first chunk
    logic [      ChunkBits-1:0] left;  // chunks of held not yet delivered
    logic                       give;

    assign give          = m_axis_tvalid && m_axis_tready;
    assign m_axis_tvalid = left != '0;
    assign m_axis_tdata  = held[CoreLanes*ElemWidth-1:0];
    assign s_axis_tready = left == '0 || (left == ChunkBits'(1) && m_axis_tready);

    always_ff @(posedge aclk) begin
      if (!aresetn) left <= '0;
      else if (take) left <= frame_last ? ChunkBits'(LastChunks) : ChunkBits'(Chunks);
      else if (give) left <= left - 1'b1;
      if (take) held <= elements;
      else if (give) held <= shifted;
    end

    if (Chunks > 1) begin : g_shift
      assign shifted = {{(CoreLanes * ElemWidth) {1'b0}}, held[Lanes*ElemWidth-1:CoreLanes*ElemWidth]};
    end else begin : g_no_shift
      assign shifted = held;
    end
  end else begin : g_wide
    localparam int unsigned Group = (CoreLanes + Lanes - 1) / Lanes;  // outside beats of a core beat
    if (CoreLanes % Lanes != 0 && CoreLanes != FrameElements) begin : g_check_5
      $error("qnn_frame_unpack: CoreLanes=%0d is neither a multiple of the %0d elements of a beat nor the frame",
            CoreLanes, Lanes);
    end

    localparam int unsigned GroupBits = $clog2(Group);
    logic [Group*Lanes*ElemWidth-1:0] gathered;
    logic [            GroupBits-1:0] index;
    logic                             group_last;

    assign group_last    = index == GroupBits'(Group - 1);
    assign s_axis_tready = !m_axis_tvalid || m_axis_tready;

    always_ff @(posedge aclk) begin
      if (!aresetn) begin
        index         <= '0;
        m_axis_tvalid <= 1'b0;
      end else begin
        if (take) index <= group_last ? '0 : index + 1'b1;
        if (take && group_last) m_axis_tvalid <= 1'b1;
        else if (m_axis_tready) m_axis_tvalid <= 1'b0;
      end
      if (take) gathered <= {elements, gathered[Group*Lanes*ElemWidth-1:Lanes*ElemWidth]};
    end

    assign m_axis_tdata = gathered[CoreLanes*ElemWidth-1:0];
    if (CoreLanes % Lanes != 0) begin : g_spare
      logic unused_spare;
      assign unused_spare = &{1'b0, gathered[Group*Lanes*ElemWidth-1:CoreLanes*ElemWidth]};
    end
  end
endmodule
