// SPDX-License-Identifier: Apache-2.0
// Written by hand, not by Vitis HLS: a classifier of 10 binary inputs and 3 classes with the ports and habits of the
// Verilog that Vitis HLS writes for two axis ports and ap_ctrl_none: ap_clk, ap_rst_n, TDATA in whole bytes, ROMs read
// from .dat files in the simulator's folder, initial values, lines that no lint would pass.
//
//   class = argmax_c slopes[c] * popcount(~(x ^ weights[c])) + biases[c], the lowest class of equals
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

parameter ap_ST_fsm_state1 = 3'd1;
parameter ap_ST_fsm_state2 = 3'd2;
parameter ap_ST_fsm_state3 = 3'd4;

input ap_clk;
input ap_rst_n;
input [15:0] s_axis_TDATA;
input s_axis_TVALID;
output s_axis_TREADY;
output [31:0] m_axis_TDATA;
output m_axis_TVALID;
input m_axis_TREADY;

reg ap_rst_n_inv;
(* fsm_encoding = "none" *) reg [2:0] ap_CS_fsm;
reg [9:0] weights [0:2];
reg signed [31:0] slopes [0:2];
reg signed [31:0] biases [0:2];
reg [9:0] x_reg;
reg [1:0] class_reg;
reg [31:0] best_reg;
reg signed [31:0] score_reg;
wire [9:0] equal;
wire signed [31:0] count;
wire signed [31:0] score;

initial begin
#0 ap_CS_fsm = 3'd1;
$readmemh("./qnn_hls_core_weights_ROM_AUTO_1R.dat", weights);
$readmemh("./qnn_hls_core_slopes_ROM_AUTO_1R.dat", slopes);
$readmemh("./qnn_hls_core_biases_ROM_AUTO_1R.dat", biases);
end

always @ (*) begin
    ap_rst_n_inv = ~ap_rst_n;
end

assign equal = ~(x_reg ^ weights[class_reg]);
assign count = equal[0] + equal[1] + equal[2] + equal[3] + equal[4] + equal[5] + equal[6] + equal[7] + equal[8] + equal[9];
assign score = slopes[class_reg] * count + biases[class_reg];
assign s_axis_TREADY = (ap_CS_fsm == ap_ST_fsm_state1);
assign m_axis_TVALID = (ap_CS_fsm == ap_ST_fsm_state3);
assign m_axis_TDATA = best_reg;

always @ (posedge ap_clk) begin
    if (ap_rst_n_inv == 1'b1) begin
        ap_CS_fsm <= ap_ST_fsm_state1;
        class_reg <= 2'd0;
    end else begin
        case (ap_CS_fsm)
            ap_ST_fsm_state1 : if (s_axis_TVALID) begin
                x_reg <= s_axis_TDATA;
                class_reg <= 2'd0;
                ap_CS_fsm <= ap_ST_fsm_state2;
            end
            ap_ST_fsm_state2 : begin
                if ((class_reg == 0) | (score > score_reg)) begin
                    best_reg <= class_reg;
                    score_reg <= score;
                end
                class_reg <= class_reg + 1;
                if (class_reg == 2) ap_CS_fsm <= ap_ST_fsm_state3;
            end
            ap_ST_fsm_state3 : if (m_axis_TREADY) begin
                ap_CS_fsm <= ap_ST_fsm_state1;
            end
            default : ap_CS_fsm <= 'bx;
        endcase
    end
end

endmodule
