// SPDX-License-Identifier: Apache-2.0
//
// Matrix-vector unit with binary weights.
//
//   InKind 0 (bipolar bits): P = #{k : x[k] == w[row][k]}                        0..MatrixWidth, dot = 2P - K
//   InKind 1 (ternary i2):   D = 2*#{k : x[k] == w[row][k]} + #{k : x[k] == 0}   0..2*MatrixWidth, dot = D - K
//   InKind 2 (integer):      dot = sum_k (w ? x : -x)                            signed
//
// Contract: in: SF = MatrixWidth/SIMD beats of SIMD elements a vector, columns in order; out: NF = MatrixHeight/PE
// beats of PE accumulators a vector, PE p of beat nf is row nf*PE+p. NF*SF cycles per vector, vectors back to back
// without bubble. With NF > 1 the vector is stored during pass nf = 0 and read back in the passes after it, while
// s_axis_tready is low. Latency 3 cycles from the last beat of a pass to its output beat. Outputs are registers;
// s_axis_tready depends combinationally on m_axis_tready: a finished beat that meets a full output register stops the
// whole pipeline, unfinished ones do not. Reset drops the vector under way.
//
// Weight word t = nf*SF + sf: PE p at bits [p*SIMD +: SIMD], lane s = column sf*SIMD + s; weight bit 1 = +1.
//
// Pipeline: fetch, integer lanes to pairs | dot product | accumulate into the output register.
//
// PE:           rows computed at once, divides MatrixHeight
// SIMD:         columns a beat, divides MatrixWidth
// MatrixHeight: rows N, >= 1
// MatrixWidth:  columns K, >= 1
// InKind:       0 = bipolar bits, 1 = ternary (two's complement -1/0/+1), 2 = integer
// InWidth:      bits of an element: 1 for InKind 0, 2 for InKind 1, >= 1 for InKind 2
// InSigned:     for InKind 2: 1 = elements are two's complement, 0 = unsigned
// AccWidth:     bits of an accumulator; holds MatrixWidth (InKind 0) or 2*MatrixWidth (InKind 1); for InKind 2 the dot
//               product is taken modulo 2^AccWidth, hence exact if the results of these weights fit
// InitFile:     content of the weight memory, see qnn_weight_store
// WeightStyle:  "auto" | "lut" | "lutram" | "bram"
module qnn_mvu #(
    parameter int unsigned PE           = 1,
    parameter int unsigned SIMD         = 1,
    parameter int unsigned MatrixHeight = 1,
    parameter int unsigned MatrixWidth  = 1,
    parameter int unsigned InKind       = 0,
    parameter int unsigned InWidth      = 1,
    parameter int unsigned InSigned     = 0,
    parameter int unsigned AccWidth     = 8,
    parameter              InitFile     = "",
    parameter logic [47:0] WeightStyle  = "auto"
) (
    input  logic                    aclk,
    input  logic                    aresetn,
    input  logic [SIMD*InWidth-1:0] s_axis_tdata,
    input  logic                    s_axis_tvalid,
    output logic                    s_axis_tready,
    output logic [ PE*AccWidth-1:0] m_axis_tdata,
    output logic                    m_axis_tvalid,
    input  logic                    m_axis_tready
);

  if (PE < 1 || MatrixHeight < 1 || MatrixHeight % PE != 0) begin : g_error_pe
    $error("qnn_mvu: PE=%0d does not divide MatrixHeight=%0d", PE, MatrixHeight);
  end
  if (SIMD < 1 || MatrixWidth < 1 || MatrixWidth % SIMD != 0) begin : g_error_simd
    $error("qnn_mvu: SIMD=%0d does not divide MatrixWidth=%0d", SIMD, MatrixWidth);
  end
  if (InKind > 2) begin : g_error_kind
    $error("qnn_mvu: InKind=%0d is outside 0..2", InKind);
  end
  if (InWidth < 1 || (InKind < 2 && InWidth != InKind + 1)) begin : g_error_in_width
    $error("qnn_mvu: InKind=%0d does not take InWidth=%0d", InKind, InWidth);
  end
  if (InKind == 0 && AccWidth < $clog2(MatrixWidth + 1)) begin : g_error_acc_bipolar
    $error("qnn_mvu: AccWidth=%0d does not hold MatrixWidth=%0d", AccWidth, MatrixWidth);
  end
  if (InKind == 1 && AccWidth < $clog2(2 * MatrixWidth + 1)) begin : g_error_acc_ternary
    $error("qnn_mvu: AccWidth=%0d does not hold 2*MatrixWidth=%0d", AccWidth, 2 * MatrixWidth);
  end

  localparam int unsigned NeuronFold = MatrixHeight / PE;
  localparam int unsigned SynapseFold = MatrixWidth / SIMD;
  localparam int unsigned Tiles = NeuronFold * SynapseFold;
  localparam int unsigned TileWidth = (Tiles > 1) ? $clog2(Tiles) : 1;
  localparam int unsigned OperandWidth = (InKind == 2) ? InWidth + 1 : InWidth;
  localparam int unsigned IntegerWidth = InWidth + ((InSigned != 0) ? 0 : 1) + $clog2(SIMD);
  localparam int unsigned SumWidth = (InKind == 0) ? $clog2(SIMD + 1) :
                                     (InKind == 1) ? $clog2(2 * SIMD + 1) :
                                     (IntegerWidth < AccWidth) ? IntegerWidth : AccWidth;

  logic                         enable;
  logic                         first_pass;  // the vector comes from s_axis, not from the buffer
  logic                         fold_first;
  logic                         fold_last;
  logic                         issue;
  logic                         load;
  logic [        TileWidth-1:0] tile;
  logic [     SIMD*InWidth-1:0] activations;
  logic [SIMD*OperandWidth-1:0] prepared;

  // Stage 1: operands there
  logic [SIMD*OperandWidth-1:0] operands;
  logic [          PE*SIMD-1:0] weights;
  logic                         operands_valid;
  logic                         operands_first;
  logic                         operands_last;

  // Stage 2: dot products there
  logic [      PE*SumWidth-1:0] dots;
  logic [      PE*SumWidth-1:0] sums;
  logic [               PE-1:0] carries;
  logic                         sums_valid;
  logic                         sums_first;
  logic                         sums_last;
  logic [      PE*AccWidth-1:0] totals;

  assign enable        = !(sums_valid && sums_last && m_axis_tvalid && !m_axis_tready);
  assign s_axis_tready = enable && first_pass;
  assign issue         = enable && (!first_pass || s_axis_tvalid);

  // Tile counter; addresses the weight memory
  if (Tiles > 1) begin : g_tiles
    always_ff @(posedge aclk) begin : tiles
      if (!aresetn) tile <= '0;
      else if (issue) tile <= (tile == TileWidth'(Tiles - 1)) ? '0 : tile + 1'b1;
    end
  end else begin : g_one_tile
    assign tile = '0;
  end

  // Position in the vector, and the buffer that repeats it
  if (SynapseFold > 1) begin : g_folds
    localparam int unsigned FoldWidth = $clog2(SynapseFold);
    logic [FoldWidth-1:0] fold;

    assign fold_first = fold == '0;
    assign fold_last  = fold == FoldWidth'(SynapseFold - 1);

    always_ff @(posedge aclk) begin : folds
      if (!aresetn) fold <= '0;
      else if (issue) fold <= fold_last ? '0 : fold + 1'b1;
    end

    if (NeuronFold > 1) begin : g_buffer
      // Read without a clock (LUTRAM): between the memory and the operands lies an adder.
      (* ram_style = "distributed" *)
      logic [SIMD*InWidth-1:0] vector[SynapseFold];

      assign activations = first_pass ? s_axis_tdata : vector[fold];
      assign load        = issue;

      always_ff @(posedge aclk) begin : buffer
        if (issue && first_pass) vector[fold] <= s_axis_tdata;
      end
    end
  end else begin : g_one_fold
    assign fold_first = 1'b1;
    assign fold_last  = 1'b1;
  end

  if (SynapseFold == 1 || NeuronFold == 1) begin : g_no_buffer
    // Either nothing is repeated, or the one beat stays in the register for all passes.
    assign activations = s_axis_tdata;
    assign load        = issue && first_pass;
  end

  if (NeuronFold > 1) begin : g_passes
    localparam int unsigned PassWidth = $clog2(NeuronFold);
    logic [PassWidth-1:0] pass;

    assign first_pass = pass == '0;

    always_ff @(posedge aclk) begin : passes
      if (!aresetn) pass <= '0;
      else if (issue && fold_last) pass <= (pass == PassWidth'(NeuronFold - 1)) ? '0 : pass + 1'b1;
    end
  end else begin : g_one_pass
    assign first_pass = 1'b1;
  end

  qnn_weight_store #(
      .Width   (PE * SIMD),
      .Depth   (Tiles),
      .InitFile(InitFile),
      .Style   (WeightStyle)
  ) weight_store (
      .aclk   (aclk),
      .enable (issue),
      .address(tile),
      .data   (weights)
  );

  if (InKind == 0) begin : g_bipolar
    assign prepared = activations;
    assign carries  = '0;

    for (genvar p = 0; p < PE; p++) begin : g_pe
      qnn_dot_xnor #(
          .SIMD(SIMD)
      ) dot (
          .activations(operands),
          .weights    (weights[p*SIMD+:SIMD]),
          .count      (dots[p*SumWidth+:SumWidth])
      );
    end
  end else if (InKind == 1) begin : g_ternary
    logic [          SIMD-1:0] invalid;
    logic [$clog2(SIMD+1)-1:0] invalid_count;

    assign prepared = activations;
    assign carries  = '0;

    for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
      assign invalid[lane] = !operands[2*lane];
    end

    qnn_popcount #(
        .Width(SIMD)
    ) count_invalid (
        .data (invalid),
        .count(invalid_count)
    );

    for (genvar p = 0; p < PE; p++) begin : g_pe
      qnn_dot_ternary #(
          .SIMD(SIMD)
      ) dot (
          .activations  (operands),
          .weights      (weights[p*SIMD+:SIMD]),
          .invalid_count(invalid_count),
          .sum          (dots[p*SumWidth+:SumWidth])
      );
    end
  end else begin : g_integer
    logic [PE-1:0] dot_carries;

    always_ff @(posedge aclk) begin : register
      if (enable && operands_valid) carries <= dot_carries;
    end

    qnn_lane_pairs #(
        .SIMD    (SIMD),
        .InWidth (InWidth),
        .InSigned(InSigned)
    ) lane_pairs (
        .activations(activations),
        .pairs      (prepared)
    );

    for (genvar p = 0; p < PE; p++) begin : g_pe
      qnn_dot_integer #(
          .SIMD    (SIMD),
          .InWidth (InWidth),
          .InSigned(InSigned),
          .OutWidth(SumWidth)
      ) dot (
          .pairs  (operands),
          .weights(weights[p*SIMD+:SIMD]),
          .sum    (dots[p*SumWidth+:SumWidth]),
          .carry  (dot_carries[p])
      );
    end
  end

  qnn_accumulator #(
      .PE      (PE),
      .InWidth (SumWidth),
      .InSigned((InKind == 2) ? 1 : 0),
      .AccWidth(AccWidth)
  ) accumulator (
      .aclk   (aclk),
      .enable (enable && sums_valid),
      .first  (sums_first),
      .sums   (sums),
      .carries(carries),
      .totals (totals)
  );

  always_ff @(posedge aclk) begin : pipeline
    if (!aresetn) begin
      operands_valid <= 1'b0;
      sums_valid     <= 1'b0;
      m_axis_tvalid  <= 1'b0;
    end else begin
      if (enable) begin
        operands_valid <= issue;
        sums_valid     <= operands_valid;
      end
      if (enable && sums_valid && sums_last) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
  end

  always_ff @(posedge aclk) begin : data
    if (load) operands <= prepared;
    if (issue) begin
      operands_first <= fold_first;
      operands_last  <= fold_last;
    end
    if (enable && operands_valid) begin
      sums       <= dots;
      sums_first <= operands_first;
      sums_last  <= operands_last;
    end
    if (enable && sums_valid && sums_last) m_axis_tdata <= totals;
  end

endmodule
