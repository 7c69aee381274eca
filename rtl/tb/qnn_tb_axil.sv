// SPDX-License-Identifier: Apache-2.0
// Testbench: an AXI4-Lite master that does one access for Python. Not synthesizable.
//
// Python sets op_*, raises go and waits for ack. op_order: 0 address and data together, 1 address op_gap cycles before
// data, 2 data op_gap cycles before address. BREADY/RREADY rise op_gap cycles after the response's VALID.
// result_resp is the response, 7 if none came within 1000 cycles. violations counts responses taken back or changed
// while they wait.
module qnn_tb_axil (
    input  logic        aclk,
    input  logic        aresetn,
    output logic [11:0] m_axil_awaddr,
    output logic        m_axil_awvalid,
    input  logic        m_axil_awready,
    output logic [31:0] m_axil_wdata,
    output logic [ 3:0] m_axil_wstrb,
    output logic        m_axil_wvalid,
    input  logic        m_axil_wready,
    input  logic [ 1:0] m_axil_bresp,
    input  logic        m_axil_bvalid,
    output logic        m_axil_bready,
    output logic [11:0] m_axil_araddr,
    output logic        m_axil_arvalid,
    input  logic        m_axil_arready,
    input  logic [31:0] m_axil_rdata,
    input  logic [ 1:0] m_axil_rresp,
    input  logic        m_axil_rvalid,
    output logic        m_axil_rready
);
  logic go  /*verilator public_flat_rw*/ = 0;
  logic op_write  /*verilator public_flat_rw*/ = 0;
  logic [31:0] op_addr  /*verilator public_flat_rw*/ = 0;
  logic [31:0] op_data  /*verilator public_flat_rw*/ = 0;
  logic [31:0] op_strb  /*verilator public_flat_rw*/ = 15;
  logic [31:0] op_order  /*verilator public_flat_rw*/ = 0;
  logic [31:0] op_gap  /*verilator public_flat_rw*/ = 0;
  logic ack  /*verilator public_flat_rw*/ = 0;
  logic [31:0] result_data  /*verilator public_flat_rw*/ = 0;
  logic [31:0] result_resp  /*verilator public_flat_rw*/ = 0;
  logic [31:0] violations  /*verilator public_flat_rw*/ = 0;

  logic        busy = 0;
  logic [31:0] count = 0;  // cycles since go
  logic [31:0] held = 0;  // cycles the response has waited
  logic        aw_sent = 0;
  logic        w_sent = 0;
  logic        waiting = 0;
  logic [33:0] waiting_response = 0;
  logic [33:0] response;
  logic        valid;
  logic        ready;

  assign valid    = op_write ? m_axil_bvalid : m_axil_rvalid;
  assign ready    = op_write ? m_axil_bready : m_axil_rready;
  assign response = op_write ? {m_axil_bresp, 32'd0} : {m_axil_rresp, m_axil_rdata};

  initial begin
    m_axil_awvalid = 1'b0;
    m_axil_wvalid  = 1'b0;
    m_axil_arvalid = 1'b0;
    m_axil_bready  = 1'b0;
    m_axil_rready  = 1'b0;
  end

  always_ff @(posedge aclk) begin
    waiting          <= busy && valid && !ready;
    waiting_response <= response;
    if (busy && waiting && (!valid || response != waiting_response)) violations <= violations + 32'd1;
    if (m_axil_awready) m_axil_awvalid <= 1'b0;
    if (m_axil_wready) m_axil_wvalid <= 1'b0;
    if (m_axil_arready) m_axil_arvalid <= 1'b0;
    m_axil_bready <= 1'b0;
    m_axil_rready <= 1'b0;
    if (go && aresetn) begin
      go      <= 1'b0;
      ack     <= 1'b0;
      busy    <= 1'b1;
      count   <= 32'd0;
      held    <= 32'd0;
      aw_sent <= 1'b0;
      w_sent  <= 1'b0;
      if (!op_write) begin
        m_axil_arvalid <= 1'b1;
        m_axil_araddr  <= op_addr[11:0];
      end
    end else if (busy) begin
      count <= count + 32'd1;
      if (op_write && !aw_sent && (op_order != 2 || count >= op_gap)) begin
        m_axil_awvalid <= 1'b1;
        m_axil_awaddr  <= op_addr[11:0];
        aw_sent        <= 1'b1;
      end
      if (op_write && !w_sent && (op_order != 1 || count >= op_gap)) begin
        m_axil_wvalid <= 1'b1;
        m_axil_wdata  <= op_data;
        m_axil_wstrb  <= op_strb[3:0];
        w_sent        <= 1'b1;
      end
      if (valid && ready) begin
        result_data <= response[31:0];
        result_resp <= {30'd0, response[33:32]};
        ack         <= 1'b1;
        busy        <= 1'b0;
      end else if (valid) begin
        held <= held + 32'd1;
        if (held >= op_gap) begin
          m_axil_bready <= op_write;
          m_axil_rready <= !op_write;
        end
      end
      if (count == 32'd1000) begin
        result_resp <= 32'd7;
        ack         <= 1'b1;
        busy        <= 1'b0;
      end
    end
  end
endmodule
