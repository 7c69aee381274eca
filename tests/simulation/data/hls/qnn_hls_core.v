// SPDX-License-Identifier: Apache-2.0
// Written by hand, not by Vitis HLS: the summing core with the ports and habits of the Verilog that Vitis HLS writes for
// a top function with two axis ports and ap_ctrl_none: ap_clk, ap_rst_n, TDATA in whole bytes, a ROM read from a .dat
// file in the simulator's folder, initial values, lines that no lint would pass.
`timescale 1 ns / 1 ps

(* CORE_GENERATION_INFO="written by hand" *)
module qnn_hls_core (
    ap_clk,
    ap_rst_n,
    s_axis_TDATA,
    s_axis_TVALID,
    s_axis_TREADY,
    m_axis_TDATA,
    m_axis_TVALID,
    m_axis_TREADY
);

parameter ap_const_lv32_0 = 32'd0;

input ap_clk;
input ap_rst_n;
input [31:0] s_axis_TDATA;
input s_axis_TVALID;
output s_axis_TREADY;
output [31:0] m_axis_TDATA;
output m_axis_TVALID;
input m_axis_TREADY;

reg ap_rst_n_inv;
reg [31:0] rom [0:0];
reg [31:0] sum;
reg [31:0] beat;
reg [31:0] result;
reg result_vld;
wire last;
wire [31:0] total;

initial begin
#0 result_vld = 1'b0;
$readmemh("./qnn_hls_core_beats_ROM_AUTO_1R.dat", rom);
end

always @ (*) begin
    ap_rst_n_inv = ~ap_rst_n;
end

assign last = (beat == rom[0] - 1);
assign total = sum + s_axis_TDATA[7:0] + s_axis_TDATA[15:8] + s_axis_TDATA[23:16] + s_axis_TDATA[31:24];
assign s_axis_TREADY = ~result_vld;
assign m_axis_TDATA = result;
assign m_axis_TVALID = result_vld;

always @ (posedge ap_clk) begin
    if (ap_rst_n_inv == 1'b1) begin
        sum <= ap_const_lv32_0;
        beat <= ap_const_lv32_0;
        result_vld <= 1'b0;
    end else begin
        if (m_axis_TREADY == 1'b1) result_vld <= 1'b0;
        if (s_axis_TVALID & s_axis_TREADY) begin
            beat <= last ? 0 : beat + 1;
            sum <= last ? 0 : total;
            if (last) begin
                result <= total;
                result_vld <= 1'b1;
            end
        end
    end
end

endmodule
