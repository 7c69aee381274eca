// SPDX-License-Identifier: Apache-2.0
// The core of the simulation tests: result = sum of a frame's elements, over two watched streams.
//
// input (4 x u8) -> pairs: sums of 2 elements (2 x u9) -> quads: sums of all 4 (1 x u10) -> FIFO -> accumulator.
// +defect=N plants one at run time, so that all tests share one build: 1 a wrong value in beat 21 of `quads`,
// 2 `quads` never becomes valid after 5 beats, 3 `pairs` changes its data while it waits, 4 `pairs` takes TVALID back.
module qnn_core #(
    parameter int unsigned FrameElements = 64
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
  localparam int unsigned Beats = FrameElements / 4;

  int defect = 0;
  initial if (!$value$plusargs("defect=%d", defect)) defect = 0;

  logic [17:0] pairs_tdata;
  logic        pairs_tvalid;
  logic        pairs_tready;
  logic [ 9:0] quads_tdata;
  logic        quads_tvalid;
  logic        quads_tready;
  logic [31:0] quads_sent;
  logic        hung;

  assign s_axis_tready = !pairs_tvalid || pairs_tready;
  assign hung          = defect == 2 && quads_sent >= 5;
  assign pairs_tready  = (!quads_tvalid || quads_tready) && !hung;

  logic [9:0] memory[8];
  logic [2:0] write;
  logic [2:0] read;
  logic [3:0] count;
  logic       push;
  logic       pop;
  logic [31:0] sum;
  logic [31:0] beat;

  assign quads_tready = count != 4'd8;
  assign push         = quads_tvalid && quads_tready;
  assign pop          = count != 0 && (beat != Beats - 1 || !m_axis_tvalid || m_axis_tready);

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      pairs_tvalid    <= 1'b0;
      quads_tvalid    <= 1'b0;
      quads_sent      <= 32'd0;
      m_axis_tvalid   <= 1'b0;
      write           <= 3'd0;
      read            <= 3'd0;
      count           <= 4'd0;
      sum             <= 32'd0;
      beat            <= 32'd0;
      fifo_high_water <= 16'd0;
    end else begin
      if (s_axis_tready) pairs_tvalid <= s_axis_tvalid;
      else if (defect == 4) pairs_tvalid <= 1'b0;
      if (pairs_tready) quads_tvalid <= pairs_tvalid;
      else if (hung && quads_tready) quads_tvalid <= 1'b0;
      if (push) quads_sent <= quads_sent + 32'd1;
      if (push) write <= write + 3'd1;
      if (pop) read <= read + 3'd1;
      count <= count + {3'd0, push} - {3'd0, pop};
      if ({12'd0, count} > fifo_high_water) fifo_high_water <= {12'd0, count};
      if (m_axis_tready) m_axis_tvalid <= 1'b0;
      if (pop) begin
        beat <= (beat == Beats - 1) ? 32'd0 : beat + 32'd1;
        sum  <= (beat == Beats - 1) ? 32'd0 : sum + {22'd0, memory[read]};
        if (beat == Beats - 1) begin
          m_axis_tvalid <= 1'b1;
          m_axis_tdata  <= sum + {22'd0, memory[read]};
        end
      end
    end
    if (push) memory[write] <= quads_tdata;
    if (s_axis_tready)
      pairs_tdata <= {{1'b0, s_axis_tdata[31:24]} + {1'b0, s_axis_tdata[23:16]},
                      {1'b0, s_axis_tdata[15:8]} + {1'b0, s_axis_tdata[7:0]}};
    else if (defect == 3) pairs_tdata <= ~pairs_tdata;
    if (pairs_tready)
      quads_tdata <= {1'b0, pairs_tdata[17:9]} + {1'b0, pairs_tdata[8:0]} +
                     ((defect == 1 && quads_sent + 32'(quads_tvalid) == 21) ? 10'd1 : 10'd0);
  end
endmodule
