// SPDX-License-Identifier: Apache-2.0
//
// Classifier: index of the greatest score, the lowest index on a tie.
//
//   ScoreKind 0 (affine):     score = slope[class]*x + bias[class]   signed
//   ScoreKind 1 (rank table): score = rank[class][x]                 unsigned
//   m = min argmax_class score
//
// Contract: in: NF = Classes/PE beats a frame, PE p of beat nf is class nf*PE+p; out: one beat a frame, the index
// zero-extended to 32 bits. One beat per cycle; latency 4 cycles from a frame's last beat. Outputs are registers;
// s_axis_tready depends combinationally on m_axis_tready. Reset starts a new frame.
//
// Table, ScoreKind 0, word nf: PE p's {bias[ScoreWidth], slope[SlopeWidth]} at bits [p*(ScoreWidth+SlopeWidth) +:],
// slope in the LSBs, both two's complement. ScoreKind 1: word class*2^InWidth + (x as InWidth unsigned bits).
//
// Pipeline: fetch | score | best of the beat | best of the frame.
//
// PE:         classes a beat, divides Classes; 1 for ScoreKind 1
// Classes:    classes, >= 1
// InWidth:    bits of an input element, >= 1
// InSigned:   1 = inputs are two's complement, 0 = unsigned (ScoreKind 1 takes the bits as they are)
// ScoreWidth: bits of a score, >= 1; the affine scores have to fit
// ScoreKind:  0 = affine, 1 = rank table
// SlopeWidth: bits of a slope, >= 1 (ScoreKind 0)
// InitFile:   content of the table, see qnn_weight_store
module qnn_classifier #(
    parameter int unsigned PE         = 1,
    parameter int unsigned Classes    = 10,
    parameter int unsigned InWidth    = 8,
    parameter int unsigned InSigned   = 0,
    parameter int unsigned ScoreWidth = 16,
    parameter int unsigned ScoreKind  = 0,
    parameter int unsigned SlopeWidth = 8,
    parameter              InitFile   = ""
) (
    input  logic                  aclk,
    input  logic                  aresetn,
    input  logic [PE*InWidth-1:0] s_axis_tdata,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    output logic [          31:0] m_axis_tdata,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready
);

  if (PE < 1 || Classes < 1 || Classes % PE != 0) begin : g_error_pe
    $error("qnn_classifier: PE=%0d does not divide Classes=%0d", PE, Classes);
  end
  if (ScoreKind > 1) begin : g_error_kind
    $error("qnn_classifier: ScoreKind=%0d is neither 0 nor 1", ScoreKind);
  end
  if (ScoreKind == 1 && PE != 1) begin : g_error_rank_pe
    $error("qnn_classifier: ScoreKind=%0d (rank table) needs PE=1, not %0d", ScoreKind, PE);
  end
  if (ScoreKind == 1 && InWidth > 24) begin : g_error_rank_width
    $error("qnn_classifier: ScoreKind=%0d (rank table) takes InWidth up to 24, not %0d", ScoreKind, InWidth);
  end
  if (InWidth < 1 || ScoreWidth < 1 || SlopeWidth < 1) begin : g_error_width
    $error("qnn_classifier: InWidth=%0d, ScoreWidth=%0d and SlopeWidth=%0d have to be at least 1", InWidth, ScoreWidth,
           SlopeWidth);
  end

  localparam int unsigned Folds = Classes / PE;
  localparam int unsigned FoldWidth = (Folds > 1) ? $clog2(Folds) : 1;
  localparam int unsigned IndexWidth = (Classes > 1) ? $clog2(Classes) : 1;

  logic                     enable;
  logic                     accept;
  logic [    FoldWidth-1:0] fold;
  logic                     fold_first;
  logic                     fold_last;

  // Stages 1..3
  logic [    FoldWidth-1:0] fetched_fold;
  logic                     fetched_valid;
  logic                     fetched_first;
  logic                     fetched_last;
  logic [PE*ScoreWidth-1:0] scores;
  logic [    FoldWidth-1:0] scores_fold;
  logic                     scores_valid;
  logic                     scores_first;
  logic                     scores_last;
  logic [   ScoreWidth-1:0] beat_score;
  logic [   IndexWidth-1:0] beat_index;
  logic                     beat_valid;
  logic                     beat_first;
  logic                     beat_last;
  logic [   ScoreWidth-1:0] best_score;
  logic [   IndexWidth-1:0] best_index;
  logic [   IndexWidth-1:0] winner;
  logic                     beat_wins;

  assign enable        = !(beat_valid && beat_last && m_axis_tvalid && !m_axis_tready);
  assign s_axis_tready = enable;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign fold_first    = fold == '0;

  if (Folds > 1) begin : g_folds
    assign fold_last = fold == FoldWidth'(Folds - 1);
    always_ff @(posedge aclk) begin : folds
      if (!aresetn) fold <= '0;
      else if (accept) fold <= fold_last ? '0 : fold + 1'b1;
    end
  end else begin : g_one_fold
    assign fold      = '0;
    assign fold_last = 1'b1;
  end

  // Score; the offset-binary form makes signed scores comparable as unsigned numbers.
  if (ScoreKind == 0) begin : g_affine
    localparam int unsigned EntryWidth = ScoreWidth + SlopeWidth;
    logic [   PE*InWidth-1:0] values;
    logic [PE*EntryWidth-1:0] entries;

    qnn_weight_store #(
        .Width   (PE * EntryWidth),
        .Depth   (Folds),
        .InitFile(InitFile),
        .Style   ("auto")
    ) score_store (
        .aclk   (aclk),
        .enable (accept),
        .address(fold),
        .data   (entries)
    );

    always_ff @(posedge aclk) begin : fetch
      if (accept) values <= s_axis_tdata;
    end

    for (genvar p = 0; p < PE; p++) begin : g_pe
      logic signed [ScoreWidth-1:0] x;
      logic signed [ScoreWidth-1:0] slope;
      logic signed [ScoreWidth-1:0] bias;
      logic signed [ScoreWidth-1:0] score;

      if (InSigned != 0) begin : g_signed
        assign x = ScoreWidth'($signed(values[p*InWidth+:InWidth]));
      end else begin : g_unsigned
        assign x = ScoreWidth'(values[p*InWidth+:InWidth]);
      end
      // Modulo 2^ScoreWidth; exact, because the score fits.
      assign slope = ScoreWidth'($signed(entries[p*EntryWidth+:SlopeWidth]));
      assign bias  = $signed(entries[p*EntryWidth+SlopeWidth+:ScoreWidth]);
      assign score = slope * x + bias;

      always_ff @(posedge aclk) begin : register
        if (enable && fetched_valid) scores[p*ScoreWidth+:ScoreWidth] <= score ^ (ScoreWidth'(1) << (ScoreWidth - 1));
      end
    end
  end else begin : g_rank
    localparam int unsigned Ranks = Folds * (1 << InWidth);
    localparam int unsigned AddressWidth = $clog2(Ranks);
    logic [ScoreWidth-1:0] rank;

    qnn_weight_store #(
        .Width   (ScoreWidth),
        .Depth   (Ranks),
        .InitFile(InitFile),
        .Style   ("auto")
    ) rank_store (
        .aclk   (aclk),
        .enable (accept),
        .address(AddressWidth'({fold, s_axis_tdata[InWidth-1:0]})),
        .data   (rank)
    );

    always_ff @(posedge aclk) begin : register
      if (enable && fetched_valid) scores <= {PE{rank}};
    end
  end

  // Best of the beat: a tree in heap order, node i chooses between nodes 2i+1 and 2i+2. The tree is padded to a power
  // of two, so that lower classes stand further left; the left one wins a tie. Absent leaves stand right of all
  // others and have the lowest score: they never win.
  localparam int unsigned Levels = $clog2(PE);
  localparam int unsigned Leaves = 1 << Levels;
  localparam int unsigned LaneWidth = (Levels > 0) ? Levels : 1;
  logic [(2*Leaves-1)*ScoreWidth-1:0] node_score;
  logic [ (2*Leaves-1)*LaneWidth-1:0] node_lane;

  for (genvar leaf = 0; leaf < Leaves; leaf++) begin : g_leaf
    assign node_lane[(Leaves-1+leaf)*LaneWidth+:LaneWidth] = LaneWidth'(leaf);
    if (leaf < PE) begin : g_present
      assign node_score[(Leaves-1+leaf)*ScoreWidth+:ScoreWidth] = scores[leaf*ScoreWidth+:ScoreWidth];
    end else begin : g_absent
      assign node_score[(Leaves-1+leaf)*ScoreWidth+:ScoreWidth] = '0;
    end
  end

  for (genvar node = 0; node < Leaves - 1; node++) begin : g_node
    logic right;
    assign right = node_score[(2*node+2)*ScoreWidth+:ScoreWidth] > node_score[(2*node+1)*ScoreWidth+:ScoreWidth];
    assign node_score[node*ScoreWidth+:ScoreWidth] =
        right ? node_score[(2*node+2)*ScoreWidth+:ScoreWidth] : node_score[(2*node+1)*ScoreWidth+:ScoreWidth];
    assign node_lane[node*LaneWidth+:LaneWidth] =
        right ? node_lane[(2*node+2)*LaneWidth+:LaneWidth] : node_lane[(2*node+1)*LaneWidth+:LaneWidth];
  end

  assign beat_wins = beat_first || (beat_score > best_score);
  assign winner    = beat_wins ? beat_index : best_index;

  always_ff @(posedge aclk) begin : control
    if (!aresetn) begin
      fetched_valid <= 1'b0;
      scores_valid  <= 1'b0;
      beat_valid    <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (enable) begin
        fetched_valid <= accept;
        scores_valid  <= fetched_valid;
        beat_valid    <= scores_valid;
      end
      if (enable && beat_valid && beat_last) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
  end

  always_ff @(posedge aclk) begin : data
    if (enable) begin
      fetched_fold  <= fold;
      fetched_first <= fold_first;
      fetched_last  <= fold_last;
      scores_fold   <= fetched_fold;
      scores_first  <= fetched_first;
      scores_last   <= fetched_last;
      beat_first    <= scores_first;
      beat_last     <= scores_last;
      beat_score    <= node_score[ScoreWidth-1:0];
      beat_index    <= IndexWidth'(scores_fold) * IndexWidth'(PE) + IndexWidth'(node_lane[LaneWidth-1:0]);
      if (beat_valid) begin
        best_index <= winner;
        if (beat_wins) best_score <= beat_score;
        if (beat_last) m_axis_tdata <= 32'(winner);
      end
    end
  end

endmodule
