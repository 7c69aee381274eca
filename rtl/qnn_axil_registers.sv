// SPDX-License-Identifier: Apache-2.0
// The AXI4-Lite register block of an accelerator: identity, control, errors and counters as 32-bit words.
//
// Contract: the map is boards/registers.toml (table: docs/registers.md). One transaction at a time in each direction;
// write address and write data come in any order; WSTRB is respected; every response is OKAY; an address without a
// register reads 0 and ignores writes. All outputs are registered. Read latency 2 cycles, write latency 2 cycles.
// error_set bits are sticky until 1 is written to them; an error in the cycle of its clearing stays.
// soft_reset rises one cycle after a 1 is written to control bit 0; control reads 1 while soft_reset_active.
// Reset (aresetn alone, never the soft reset) clears the handshakes. Used by qnn_shell; tested in
// tests/rtl/test_shell.py.
module qnn_axil_registers #(
    parameter int unsigned NumFifos = 0,    // FIFOs of the core with a high-water mark, 0 .. 960
    parameter bit          Counters = 1'b0  // 1: the high-water marks can be read
) (
    input  logic                                          aclk,
    input  logic                                          aresetn,
    input  logic [                                  11:0] s_axil_awaddr,
    input  logic                                          s_axil_awvalid,
    output logic                                          s_axil_awready,
    input  logic [                                  31:0] s_axil_wdata,
    input  logic [                                   3:0] s_axil_wstrb,
    input  logic                                          s_axil_wvalid,
    output logic                                          s_axil_wready,
    output logic [                                   1:0] s_axil_bresp,
    output logic                                          s_axil_bvalid,
    input  logic                                          s_axil_bready,
    input  logic [                                  11:0] s_axil_araddr,
    input  logic                                          s_axil_arvalid,
    output logic                                          s_axil_arready,
    output logic [                                  31:0] s_axil_rdata,
    output logic [                                   1:0] s_axil_rresp,
    output logic                                          s_axil_rvalid,
    input  logic                                          s_axil_rready,
    // the shell's side
    input  logic [                                 127:0] graph_hash,
    output logic                                          soft_reset,
    input  logic                                          soft_reset_active,
    input  logic [                                   3:0] status,
    input  logic [                                   1:0] error_set,
    input  logic [                                  31:0] frames_in,
    input  logic [                                  31:0] frames_out,
    input  logic [                                  63:0] cycles,
    input  logic [                                  31:0] frame_interval,
    input  logic [                                  31:0] first_latency,
    input  logic [((NumFifos > 0) ? NumFifos*16 : 1)-1:0] fifo_high_water
);
  // generated from boards/registers.toml by qnn_hw/backends/rtl/registers.py: begin
  localparam logic [31:0] IdValue = 32'h514E4E31;
  localparam logic [31:0] ShellVersion = 32'h00000001;
  localparam logic [11:0] OffsetId = 12'h000;
  localparam logic [11:0] OffsetVersion = 12'h004;
  localparam logic [11:0] OffsetGraphHash = 12'h010;
  localparam logic [11:0] OffsetControl = 12'h020;
  localparam logic [11:0] OffsetStatus = 12'h024;
  localparam logic [11:0] OffsetErrors = 12'h028;
  localparam logic [11:0] OffsetFramesIn = 12'h030;
  localparam logic [11:0] OffsetFramesOut = 12'h034;
  localparam logic [11:0] OffsetCyclesLow = 12'h040;
  localparam logic [11:0] OffsetCyclesHigh = 12'h044;
  localparam logic [11:0] OffsetFrameInterval = 12'h048;
  localparam logic [11:0] OffsetFirstLatency = 12'h04C;
  localparam logic [11:0] OffsetFifoMarks = 12'h100;
  // generated: end

  if (NumFifos > 960) begin : g_check_1
    $error("qnn_axil_registers: NumFifos=%0d, at most 960 fit the window", NumFifos);
  end

  // Writes: one buffer each for address and data, so that either may come first.
  logic        aw_full;
  logic [11:0] aw_addr;
  logic        w_full;
  logic [31:0] w_data;
  logic [ 3:0] w_strb;
  logic        write;
  logic [ 1:0] errors;
  logic [ 1:0] error_clear;

  assign write        = aw_full && w_full && !s_axil_bvalid;
  assign s_axil_bresp = 2'b00;
  assign s_axil_rresp = 2'b00;
  assign error_clear  = (write && aw_addr == OffsetErrors && w_strb[0]) ? w_data[1:0] : 2'b00;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      aw_full        <= 1'b0;
      w_full         <= 1'b0;
      s_axil_awready <= 1'b0;
      s_axil_wready  <= 1'b0;
      s_axil_bvalid  <= 1'b0;
      soft_reset     <= 1'b0;
      errors         <= 2'b00;
    end else begin
      if (s_axil_awvalid && s_axil_awready) begin
        aw_full        <= 1'b1;
        s_axil_awready <= 1'b0;
      end else if (write || !aw_full) begin
        aw_full        <= 1'b0;
        s_axil_awready <= 1'b1;
      end
      if (s_axil_wvalid && s_axil_wready) begin
        w_full        <= 1'b1;
        s_axil_wready <= 1'b0;
      end else if (write || !w_full) begin
        w_full        <= 1'b0;
        s_axil_wready <= 1'b1;
      end
      if (write) s_axil_bvalid <= 1'b1;
      else if (s_axil_bready) s_axil_bvalid <= 1'b0;
      soft_reset <= write && aw_addr == OffsetControl && w_strb[0] && w_data[0];
      errors     <= soft_reset_active ? 2'b00 : (errors & ~error_clear) | error_set;
    end
    if (s_axil_awvalid && s_axil_awready) aw_addr <= {s_axil_awaddr[11:2], 2'b00};
    if (s_axil_wvalid && s_axil_wready) begin
      w_data <= s_axil_wdata;
      w_strb <= s_axil_wstrb;
    end
  end

  logic unused_bits;  // no register takes more than the two low bits of a write; byte addresses are word addresses
  assign unused_bits = &{1'b0, w_data[31:2], w_strb[3:1], s_axil_awaddr[1:0], s_axil_araddr[1:0]};

  // Reads: the address is held one cycle, then the multiplexer's value is.
  logic        ar_full;
  logic [11:0] ar_addr;
  logic        read;
  logic [31:0] read_word;
  logic [31:0] cycles_high;
  logic [31:0] high_water;

  if (Counters && NumFifos > 0) begin : g_marks
    logic [9:0] index;
    assign index = ar_addr[11:2] - OffsetFifoMarks[11:2];
    always_comb begin
      high_water = 32'd0;
      for (int unsigned i = 0; i < NumFifos; i++)
        if (index == i[9:0]) high_water = {16'd0, fifo_high_water[i*16+:16]};
    end
  end else begin : g_no_marks
    logic unused_marks;
    assign unused_marks = &{1'b0, fifo_high_water};
    assign high_water   = 32'd0;
  end

  assign read = ar_full && !s_axil_rvalid;

  always_comb begin
    case (ar_addr)
      OffsetId:             read_word = IdValue;
      OffsetVersion:        read_word = ShellVersion;
      OffsetGraphHash:      read_word = graph_hash[31:0];
      OffsetGraphHash + 4:  read_word = graph_hash[63:32];
      OffsetGraphHash + 8:  read_word = graph_hash[95:64];
      OffsetGraphHash + 12: read_word = graph_hash[127:96];
      OffsetControl:        read_word = {31'd0, soft_reset || soft_reset_active};
      OffsetStatus:         read_word = {28'd0, status};
      OffsetErrors:         read_word = {30'd0, errors};
      OffsetFramesIn:       read_word = frames_in;
      OffsetFramesOut:      read_word = frames_out;
      OffsetCyclesLow:      read_word = cycles[31:0];
      OffsetCyclesHigh:     read_word = cycles_high;
      OffsetFrameInterval:  read_word = frame_interval;
      OffsetFirstLatency:   read_word = first_latency;
      default:              read_word = (ar_addr >= OffsetFifoMarks) ? high_water : 32'd0;
    endcase
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      ar_full        <= 1'b0;
      s_axil_arready <= 1'b0;
      s_axil_rvalid  <= 1'b0;
      cycles_high    <= 32'd0;
    end else begin
      if (s_axil_arvalid && s_axil_arready) begin
        ar_full        <= 1'b1;
        s_axil_arready <= 1'b0;
      end else if (read || !ar_full) begin
        ar_full        <= 1'b0;
        s_axil_arready <= 1'b1;
      end
      if (read) s_axil_rvalid <= 1'b1;
      else if (s_axil_rready) s_axil_rvalid <= 1'b0;
      if (read && ar_addr == OffsetCyclesLow) cycles_high <= cycles[63:32];
    end
    if (s_axil_arvalid && s_axil_arready) ar_addr <= {s_axil_araddr[11:2], 2'b00};
    if (read) s_axil_rdata <= read_word;
  end
endmodule
