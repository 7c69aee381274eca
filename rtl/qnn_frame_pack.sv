// SPDX-License-Identifier: Apache-2.0
// The core's 32-bit result words -> outside beats: packs words, zero-pads each frame to whole beats, sets TLAST.
//
//   m_axis_tdata[32*i +: 32] = word b*W + i of the frame in its beat b (0 past the last word),  W = DmaWidth / 32
//
// Contract: OutWords words a frame, one word a cycle. frame_tlast is the TLAST of the frame now leaving and counts
// while frame_tlast_valid; the last beat of a frame waits for it, and frame_tlast_take is high in the one cycle in
// which it is used up. TLAST is 0 on all other beats, TKEEP is all ones. Latency 1 cycle from a beat's last word.
// m_axis_* registered; s_axis_tready depends on m_axis_tready in the same cycle. frame_done: a frame's last beat is
// handed over in this cycle (combinational). Reset clears the counters and TVALID, not the data.
// Used by qnn_shell; tested in tests/rtl/test_shell.py.
module qnn_frame_pack #(
    parameter int unsigned DmaWidth = 64,  // bits of an outside beat: a multiple of 32, 64 or more
    parameter int unsigned OutWords = 1    // 32-bit words of a frame: 1 (class) or the number of classes
) (
    input  logic                  aclk,
    input  logic                  aresetn,
    input  logic [          31:0] s_axis_tdata,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    input  logic                  frame_tlast,
    input  logic                  frame_tlast_valid,
    output logic                  frame_tlast_take,
    output logic [  DmaWidth-1:0] m_axis_tdata,
    output logic [DmaWidth/8-1:0] m_axis_tkeep,
    output logic                  m_axis_tlast,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready,
    output logic                  frame_done
);
  localparam int unsigned Slots = DmaWidth / 32;
  localparam int unsigned SlotBits = $clog2(Slots);
  localparam int unsigned WordBits = (OutWords > 1) ? $clog2(OutWords) : 1;

  if (DmaWidth % 32 != 0 || DmaWidth < 64) begin : g_check_1
    $error("qnn_frame_pack: DmaWidth=%0d is not a multiple of 32 from 64 on", DmaWidth);
  end

  logic [DmaWidth-33:0] held;  // the words of the beat so far, all but the highest slot; zero where none came yet
  logic [ SlotBits-1:0] slot;
  logic [ WordBits-1:0] word;
  logic                 frame_end;  // the word now offered is its frame's last
  logic                 beat_end;  // ... and its beat's last
  logic                 room;
  logic                 take;
  logic                 last_beat;  // the beat on m_axis is its frame's last
  logic [ DmaWidth-1:0] gathered;

  assign frame_end        = word == WordBits'(OutWords - 1);
  assign beat_end         = frame_end || slot == SlotBits'(Slots - 1);
  assign room             = !m_axis_tvalid || m_axis_tready;
  assign s_axis_tready    = (!beat_end || room) && (!frame_end || frame_tlast_valid);
  assign take             = s_axis_tvalid && s_axis_tready;
  assign frame_tlast_take = take && frame_end;
  assign frame_done       = m_axis_tvalid && m_axis_tready && last_beat;
  assign m_axis_tkeep     = '1;

  for (genvar i = 0; i < Slots; i++) begin : g_slots
    if (i < Slots - 1) begin : g_held
      assign gathered[i*32+:32] = (slot == SlotBits'(i)) ? s_axis_tdata : held[i*32+:32];
    end else begin : g_top
      assign gathered[i*32+:32] = (slot == SlotBits'(i)) ? s_axis_tdata : 32'd0;
    end
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      slot          <= '0;
      word          <= '0;
      held          <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (take) begin
        slot <= beat_end ? '0 : slot + 1'b1;
        word <= frame_end ? '0 : word + 1'b1;
        held <= beat_end ? '0 : gathered[DmaWidth-33:0];
      end
      if (take && beat_end) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
    if (take && beat_end) begin
      m_axis_tdata <= gathered;
      m_axis_tlast <= frame_end && frame_tlast;
      last_beat    <= frame_end;
    end
  end
endmodule
