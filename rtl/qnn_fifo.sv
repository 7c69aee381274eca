// SPDX-License-Identifier: Apache-2.0
//
// First-word-fall-through stream FIFO.
//
//   m[i] = s[i], at most Depth words stored
//
// Contract: order kept; one beat per cycle in and out sustained; latency 1 cycle at Depth = 2 and 2 cycles above;
// holds exactly Depth words. s_axis_tready and m_axis_tvalid depend on registers alone: there is no combinational
// path between the two sides. m_axis_tdata is a register. Depth = 2 is a register slice; above that Depth-1 words
// lie in a memory that is read synchronously into the output register (LUTRAM up to 64 words, else the tool's choice,
// block RAM included). Reset empties the FIFO and clears high_water.
//
// Width:    bits of a word, >= 1
// Depth:    words stored, >= 2
// Counters: 1 = high_water counts, 0 = high_water is the constant 0 and costs nothing
module qnn_fifo #(
    parameter int unsigned Width    = 8,
    parameter int unsigned Depth    = 16,
    parameter int unsigned Counters = 0
) (
    input  logic             aclk,
    input  logic             aresetn,
    input  logic [Width-1:0] s_axis_tdata,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    output logic [Width-1:0] m_axis_tdata,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready,
    // highest number of words stored at once since reset, saturating at 65535
    output logic [     15:0] high_water
);

  if (Width < 1) begin : g_error_width
    $error("qnn_fifo: Width=%0d is below 1", Width);
  end
  if (Depth < 2) begin : g_error_depth
    $error("qnn_fifo: Depth=%0d is below 2", Depth);
  end
  if (Counters > 1) begin : g_error_counters
    $error("qnn_fifo: Counters=%0d is neither 0 nor 1", Counters);
  end

  if (Depth <= 2) begin : g_slice
    qnn_register_slice #(
        .Width(Width)
    ) slice (
        .aclk         (aclk),
        .aresetn      (aresetn),
        .s_axis_tdata (s_axis_tdata),
        .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tready(s_axis_tready),
        .m_axis_tdata (m_axis_tdata),
        .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tready(m_axis_tready)
    );
  end else begin : g_memory
    localparam int unsigned MemDepth = Depth - 1;
    localparam int unsigned PointerWidth = $clog2(MemDepth);
    localparam int unsigned CountWidth = $clog2(MemDepth + 1);
    localparam logic [PointerWidth-1:0] LastPointer = PointerWidth'(MemDepth - 1);

    logic [PointerWidth-1:0] write_pointer;
    logic [PointerWidth-1:0] read_pointer;
    logic [  CountWidth-1:0] count;  // words in the memory; the output register is one more
    logic                    accept;
    logic                    advance;
    logic                    fetch;

    assign s_axis_tready = count != CountWidth'(MemDepth);
    assign accept        = s_axis_tvalid && s_axis_tready;
    assign advance       = m_axis_tready || !m_axis_tvalid;
    assign fetch         = advance && (count != '0);

    always_ff @(posedge aclk) begin : control
      if (!aresetn) begin
        write_pointer <= '0;
        read_pointer  <= '0;
        count         <= '0;
        m_axis_tvalid <= 1'b0;
      end else begin
        if (accept) begin
          write_pointer <= (write_pointer == LastPointer) ? '0 : write_pointer + 1'b1;
        end
        if (fetch) begin
          read_pointer <= (read_pointer == LastPointer) ? '0 : read_pointer + 1'b1;
        end
        if (accept && !fetch) count <= count + 1'b1;
        else if (!accept && fetch) count <= count - 1'b1;
        if (advance) m_axis_tvalid <= fetch;
      end
    end

    // A word is fetched at the earliest one cycle after it was written, and a full memory takes no write: the two
    // ports never meet at one address.
    if (Depth <= 64) begin : g_small
      (* ram_style = "distributed" *)
      logic [Width-1:0] memory[MemDepth];
      always_ff @(posedge aclk) begin : data
        if (accept) memory[write_pointer] <= s_axis_tdata;
        if (fetch) m_axis_tdata <= memory[read_pointer];
      end
    end else begin : g_large
      logic [Width-1:0] memory[MemDepth];
      always_ff @(posedge aclk) begin : data
        if (accept) memory[write_pointer] <= s_axis_tdata;
        if (fetch) m_axis_tdata <= memory[read_pointer];
      end
    end
  end

  if (Counters != 0) begin : g_counters
    // Counted at the ports, so that it holds for both bodies.
    localparam int unsigned StoredWidth = $clog2(Depth + 1);
    logic [StoredWidth-1:0] stored;
    logic [StoredWidth-1:0] highest;
    logic                   push;
    logic                   pop;

    assign push = s_axis_tvalid && s_axis_tready;
    assign pop  = m_axis_tvalid && m_axis_tready;

    always_ff @(posedge aclk) begin : counters
      if (!aresetn) begin
        stored  <= '0;
        highest <= '0;
      end else begin
        if (push && !pop) stored <= stored + 1'b1;
        else if (!push && pop) stored <= stored - 1'b1;
        if (stored > highest) highest <= stored;
      end
    end

    if (StoredWidth <= 16) begin : g_narrow
      assign high_water = 16'(highest);
    end else begin : g_saturate
      assign high_water = (|highest[StoredWidth-1:16]) ? 16'hFFFF : highest[15:0];
    end
  end else begin : g_no_counters
    assign high_water = 16'd0;
  end

endmodule
