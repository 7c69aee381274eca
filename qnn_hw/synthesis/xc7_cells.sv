// SPDX-License-Identifier: Apache-2.0
// Ports and parameters of the 7-series cells that qnn_*_xc7.sv files instantiate, without contents: yosys reads this
// file as a library (read_slang -v, --empty-blackboxes), because it hands slang its own cells without their parameters.
// Port and parameter names as in the Xilinx 7-series libraries guide (UG953). Used by yosys.py alone.

module LUT1 #(parameter logic [1:0] INIT = 0) (output O, input I0);
endmodule

module LUT2 #(parameter logic [3:0] INIT = 0) (output O, input I0, I1);
endmodule

module LUT3 #(parameter logic [7:0] INIT = 0) (output O, input I0, I1, I2);
endmodule

module LUT4 #(parameter logic [15:0] INIT = 0) (output O, input I0, I1, I2, I3);
endmodule

module LUT5 #(parameter logic [31:0] INIT = 0) (output O, input I0, I1, I2, I3, I4);
endmodule

module LUT6 #(parameter logic [63:0] INIT = 0) (output O, input I0, I1, I2, I3, I4, I5);
endmodule

module LUT6_2 #(parameter logic [63:0] INIT = 0) (output O6, O5, input I0, I1, I2, I3, I4, I5);
endmodule

module CFGLUT5 #(parameter logic [31:0] INIT = 0) (
    output CDO, O5, O6, input CDI, CE, CLK, I0, I1, I2, I3, I4
);
endmodule

module CARRY4 (output [3:0] CO, O, input CI, CYINIT, input [3:0] DI, S);
endmodule

module MUXF7 (output O, input I0, I1, S);
endmodule

module MUXF8 (output O, input I0, I1, S);
endmodule

module FDRE #(parameter logic INIT = 0) (output Q, input C, CE, D, R);
endmodule

module FDSE #(parameter logic INIT = 1) (output Q, input C, CE, D, S);
endmodule

module RAM32M #(
    parameter logic [63:0] INIT_A = 0, INIT_B = 0, INIT_C = 0, INIT_D = 0
) (
    output [1:0] DOA, DOB, DOC, DOD,
    input [4:0] ADDRA, ADDRB, ADDRC, ADDRD,
    input [1:0] DIA, DIB, DIC, DID,
    input WCLK, WE
);
endmodule

module RAM64M #(
    parameter logic [63:0] INIT_A = 0, INIT_B = 0, INIT_C = 0, INIT_D = 0
) (
    output DOA, DOB, DOC, DOD,
    input [5:0] ADDRA, ADDRB, ADDRC, ADDRD,
    input DIA, DIB, DIC, DID,
    input WCLK, WE
);
endmodule

module RAM32X1D #(parameter logic [31:0] INIT = 0) (
    output DPO, SPO,
    input D, WCLK, WE, A0, A1, A2, A3, A4, DPRA0, DPRA1, DPRA2, DPRA3, DPRA4
);
endmodule

module RAM64X1D #(parameter logic [63:0] INIT = 0) (
    output DPO, SPO,
    input D, WCLK, WE, A0, A1, A2, A3, A4, A5, DPRA0, DPRA1, DPRA2, DPRA3, DPRA4, DPRA5
);
endmodule

module SRL16E #(parameter logic [15:0] INIT = 0) (output Q, input A0, A1, A2, A3, CE, CLK, D);
endmodule

module SRLC32E #(parameter logic [31:0] INIT = 0) (output Q, Q31, input [4:0] A, input CE, CLK, D);
endmodule
