// SPDX-License-Identifier: Apache-2.0
//
// Stream width converter with an integer ratio, up or down.
//
//   up,   R = OutWidth / InWidth:  m[i] = {s[R*i+R-1], ..., s[R*i]}
//   down, R = InWidth / OutWidth:  m[i] = s[i / R][(i % R)*OutWidth +: OutWidth]
//
// Contract: order kept, the first element lies in the least significant bits; one beat per cycle sustained on the
// narrow side, no bubble between words; latency 1 cycle from the beat that completes a word. m_axis_tdata and
// m_axis_tvalid are registers; s_axis_tready depends combinationally on m_axis_tready. A partial word waits without
// limit for its missing beats. Reset drops a partial word. Equal widths: wires, nothing registered.
//
// InWidth:  bits of an input beat, >= 1
// OutWidth: bits of an output beat, >= 1; a multiple or a divisor of InWidth
module qnn_width_converter #(
    parameter int unsigned InWidth  = 8,
    parameter int unsigned OutWidth = 8
) (
    input  logic                aclk,
    input  logic                aresetn,
    input  logic [ InWidth-1:0] s_axis_tdata,
    input  logic                s_axis_tvalid,
    output logic                s_axis_tready,
    output logic [OutWidth-1:0] m_axis_tdata,
    output logic                m_axis_tvalid,
    input  logic                m_axis_tready
);

  if (InWidth < 1 || OutWidth < 1) begin : g_error_zero
    $error("qnn_width_converter: InWidth=%0d and OutWidth=%0d have to be at least 1", InWidth, OutWidth);
  end else if (InWidth % OutWidth != 0 && OutWidth % InWidth != 0) begin : g_error_ratio
    $error("qnn_width_converter: InWidth=%0d and OutWidth=%0d have no integer ratio", InWidth, OutWidth);
  end

  if (OutWidth > InWidth) begin : g_up
    localparam int unsigned Ratio = OutWidth / InWidth;
    localparam int unsigned CountWidth = $clog2(Ratio);
    logic [CountWidth-1:0] count;
    logic                  accept;

    assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
    assign accept        = s_axis_tvalid && s_axis_tready;

    always_ff @(posedge aclk) begin : control
      if (!aresetn) begin
        count         <= '0;
        m_axis_tvalid <= 1'b0;
      end else begin
        if (m_axis_tready) m_axis_tvalid <= 1'b0;
        if (accept) begin
          if (count == CountWidth'(Ratio - 1)) begin
            count         <= '0;
            m_axis_tvalid <= 1'b1;
          end else begin
            count <= count + 1'b1;
          end
        end
      end
    end

    always_ff @(posedge aclk) begin : data
      if (accept) m_axis_tdata <= {s_axis_tdata, m_axis_tdata[OutWidth-1:InWidth]};
    end
  end else if (OutWidth < InWidth) begin : g_down
    localparam int unsigned Ratio = InWidth / OutWidth;
    localparam int unsigned CountWidth = $clog2(Ratio);
    logic [CountWidth-1:0] count;  // beats of the held word that are already gone
    logic [   InWidth-1:0] word;
    logic                  last;

    assign last          = count == CountWidth'(Ratio - 1);
    assign s_axis_tready = !m_axis_tvalid || (m_axis_tready && last);
    assign m_axis_tdata  = word[OutWidth-1:0];

    always_ff @(posedge aclk) begin : control
      if (!aresetn) begin
        count         <= '0;
        m_axis_tvalid <= 1'b0;
      end else if (s_axis_tready) begin
        count         <= '0;
        m_axis_tvalid <= s_axis_tvalid;
      end else if (m_axis_tready) begin
        count <= count + 1'b1;
      end
    end

    always_ff @(posedge aclk) begin : data
      if (s_axis_tready) word <= s_axis_tdata;
      else if (m_axis_tready) word <= {{OutWidth{1'b0}}, word[InWidth-1:OutWidth]};
    end
  end else begin : g_equal
    assign m_axis_tdata  = s_axis_tdata;
    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = m_axis_tready;
    // Wires need neither clock nor reset.
    logic unused;
    assign unused = &{1'b0, aclk, aresetn};
  end

endmodule
