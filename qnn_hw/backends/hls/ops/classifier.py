# SPDX-License-Identifier: Apache-2.0
"""`classifier` is `qnn::classifier`, with a rank table `qnn::classifier_ranks`."""

from qnn_hw.backends.hls.stage import Stage, Table, as_signed, choose, only_table, prints, slices
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.classifier import Classifier


@prints(Classifier)
def classifier(op: Op, graph: Graph, found: Instance) -> Stage:
    """Slopes and biases, or ranks, are arrays of their own."""
    assert isinstance(op, Classifier)
    words = only_table(found)
    if op.ranks:
        arguments = choose(found, "Classes InWidth ScoreWidth")
        ranks = Table(
            "ranks",
            arguments["ScoreWidth"],
            signed=False,
            dims=(len(words),),
            words=slices(words, arguments["ScoreWidth"], 1),
            comment=(f"Word c * {1 << arguments['InWidth']} + x: rank of class c at accumulator code x.",),
        )
        return Stage(op, "classifier_ranks", "classifier.hpp", arguments, (ranks,))
    arguments = choose(found, "PE Classes InWidth InSigned ScoreWidth SlopeWidth")
    score, slope = arguments["ScoreWidth"], arguments["SlopeWidth"]
    dims = (len(words), op.pe)
    row = f"of class nf * {op.pe} + p; score = slope * accumulator + bias."
    slopes = slices(words, slope, op.pe, step=slope + score)
    biases = slices(words, score, op.pe, offset=slope, step=slope + score)
    tables = (
        Table("slopes", slope, signed=True, dims=dims, words=as_signed(slopes, slope), comment=(f"[nf][p]: {row}",)),
        Table("biases", score, signed=True, dims=dims, words=as_signed(biases, score), comment=(f"[nf][p]: {row}",)),
    )
    return Stage(op, "classifier", "classifier.hpp", arguments, tables)
