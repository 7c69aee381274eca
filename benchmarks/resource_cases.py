# SPDX-License-Identifier: Apache-2.0
"""Configurations of hardware modules for the resource model: seeded, small enough to synthesize in seconds.

Three sets: `fit` (coefficients are fitted to it), `held` (modules never used for fitting), and one `net-NAME` a whole
random network, folded at random. Cases `fit2-...` are an earlier held-out set, whose errors were looked at: it belongs
to the fit since then, and `held` and the networks were drawn again, by seeds of their own.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from qnn_hw.analysis.resources.estimate import table_width
from qnn_hw.analysis.resources.table import TableSummary, summarize
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl.core import HASH_FILE, shell_parameters
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.folding import LayerFolding
from qnn_hw.folding.model import foldable_layers
from qnn_hw.ir import BIPOLAR, DataType
from qnn_hw.ir.datatype import smallest_dtype
from qnn_hw.ir.packing import beats_to_hex, words_to_hex
from qnn_hw.passes import lower
from tests.random_nets import Conv, Net, build

SEED_FIT = 20261
SEED_FORMERLY_HELD = 20262
SEED_HELD = 20272
SEED_NETS = 20273

Rng = np.random.Generator
FILE = "table.mem"


@dataclass(frozen=True)
class Case:
    """One module to synthesize."""

    set: str
    name: str
    module: str
    parameters: Mapping[str, int | str]
    tables: Mapping[str, list[str]] = field(default_factory=dict)
    """File name -> hexadecimal words, one a line."""

    @property
    def shape(self) -> dict[str, int | str]:
        """The parameters without file names."""
        return {name: value for name, value in self.parameters.items() if name not in ("InitFile", "HashFile")}

    def summary(self) -> TableSummary | None:
        """What the model may know of the table."""
        files = [words for name, words in self.tables.items() if name != HASH_FILE]
        return summarize(files[0], table_width(self.module, self.parameters)) if files else None

    def table_text(self) -> str:
        """The summary as it stands in the data file."""
        summary = self.summary()
        return "" if summary is None else json.dumps(summary.as_dict(), separators=(",", ":"))


def pick(rng: Rng, *values: int) -> int:
    return int(rng.choice(values))


def mvu(rng: Rng, number: int) -> Case:
    kind = int(rng.choice([0, 0, 0, 1, 2]))
    limit = 512 if kind < 2 else 96
    while True:
        pe = pick(rng, 1, 1, 2, 3, 4, 5, 8, 10, 16, 32)
        simd = pick(rng, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 27, 32, 36, 64)
        nf, sf = pick(rng, 1, 2, 4, 8, 16, 32, 64), pick(rng, 1, 2, 3, 4, 8, 9, 16, 18, 36)
        if number % 8 == 0:
            nf, sf = 1, 1
        tiles = nf * sf
        bits = tiles * pe * simd
        style = "lut" if tiles <= 64 else "bram"
        chance = rng.random()
        if chance < 0.12:
            style = "bram" if style == "lut" else "lut"
        elif chance < 0.15:
            style = "auto"
        if pe * simd <= limit and (bits <= 12_000 or (style == "bram" and bits <= 200_000)):
            break
    rows, columns = pe * nf, simd * sf
    width, signed = (1, 0), 0
    match kind:
        case 0:
            width, acc = 1, columns.bit_length()
        case 1:
            width, acc = 2, (2 * columns).bit_length()
        case _:
            width, signed = [(8, 0), (9, 1), (8, 1), (2, 0), (3, 1), (4, 0)][int(rng.integers(6))]
            low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
            extreme = columns * max(-low, high)
            acc = smallest_dtype(-extreme, extreme).bits
    words = rng.integers(0, 2, (tiles, pe * simd)).astype(np.uint8)
    parameters = {
        **{"PE": pe, "SIMD": simd, "MatrixHeight": rows, "MatrixWidth": columns},
        **{"InKind": kind, "InWidth": width, "InSigned": signed, "AccWidth": acc},
        **{"InitFile": FILE, "WeightStyle": style},
    }
    return Case("", "mvu", "qnn_mvu", parameters, {FILE: words_to_hex(words)})


def threshold(rng: Rng, number: int) -> Case:
    while True:
        pe, folds = pick(rng, 1, 2, 4, 5, 8, 16, 32), pick(rng, 1, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256)
        steps = pick(rng, 1, 1, 1, 3, 7)
        signed = rng.random() < 0.4
        fan_in = round(2 ** rng.uniform(2, 11))
        low, high = (-255 * fan_in, 255 * fan_in) if signed and rng.random() < 0.5 else (-fan_in, fan_in)
        spread = (high - low) / 2 / np.sqrt(fan_in)
        if not signed:
            low, high, spread = 0, fan_in, spread / 2
        width, wide = smallest_dtype(low, high).bits, smallest_dtype(low, high + 1).bits
        if pe * steps * wide <= 480 and pe * steps * wide * folds <= 24_000:
            break
    table = np.rint((low + high) / 2 + spread * rng.normal(0, 1, (pe * folds, steps)))
    table = np.sort(np.clip(table, low, high + 1), axis=1).astype(np.int64)
    table[rng.random(len(table)) < 0.05] = low
    table[rng.random(len(table)) < 0.05] = high + 1
    base = 0 if steps == 1 else pick(rng, 0, -(steps + 1) // 2)
    parameters = {
        **{"PE": pe, "Channels": pe * folds, "InWidth": width, "InSigned": int(signed), "Steps": steps},
        **{"ThresholdWidth": wide, "OutWidth": steps.bit_length(), "OutBase": base, "InitFile": FILE},
    }
    return Case("", "threshold", "qnn_threshold", parameters, {FILE: beats_to_hex(table.reshape(folds, -1), wide)})


def window(rng: Rng, number: int) -> Case:
    while True:
        height, width = pick(rng, 4, 5, 7, 8, 12, 14, 16, 28, 32), pick(rng, 4, 5, 7, 8, 12, 14, 16, 28, 32)
        kh, kw = [(3, 3), (3, 3), (2, 2), (1, 1), (5, 5), (3, 2), (1, 3)][int(rng.integers(7))]
        sh = sw = pick(rng, 1, 1, 2)
        pads = tuple(int(rng.integers(0, k)) for k in (kh, kh, kw, kw)) if rng.random() < 0.5 else (0, 0, 0, 0)
        lanes, fold = pick(rng, 1, 2, 3, 4, 8, 16, 32, 64), pick(rng, 1, 1, 2, 4, 8)
        ternary = any(pads) and rng.random() < 0.5
        bits = 1 if ternary else pick(rng, 1, 1, 2, 8, 9)
        if kh > height or kw > width or lanes * bits > 160:
            continue
        windows = (height + pads[0] + pads[1] - kh) // sh + 1
        rows = kh - 1 + max(sh, height - (windows - 1) * sh)
        depth = (rows * width + kw) * fold
        if depth <= 5000:
            break
    parameters = {
        **{"Channels": lanes * fold, "Lanes": lanes, "ElemWidth": bits, "OutElemWidth": 2 if ternary else bits},
        **{"MapHeight": height, "MapWidth": width, "KernelHeight": kh, "KernelWidth": kw},
        **{"StrideHeight": sh, "StrideWidth": sw},
        **dict(zip(("PadTop", "PadBottom", "PadLeft", "PadRight"), pads, strict=True)),
        **{"Ternary": int(ternary), "PadCode": 0 if ternary or not any(pads) else pick(rng, 0, 1), "Depth": depth},
    }
    return Case("", "window", "qnn_window", parameters)


def pool(rng: Rng, number: int) -> Case:
    pe, folds = pick(rng, 1, 2, 4, 8, 16, 32, 64), pick(rng, 1, 1, 2, 4, 8, 16, 48, 64)
    width = pick(rng, 1, 1, 1, 2, 3, 4)
    signed = width > 1 and rng.random() < 0.5
    mask = rng.integers(0, 2, (folds, pe)) * (rng.random() < 0.7)
    parameters = {
        **{"PE": pe, "Channels": pe * folds, "ElemWidth": width, "Signed": int(signed)},
        **{"Positions": pick(rng, 4, 4, 9), "InitFile": FILE},
    }
    return Case("", "pool", "qnn_pool", parameters, {FILE: words_to_hex(mask.astype(np.uint8))})


def classifier(rng: Rng, number: int) -> Case:
    classes = pick(rng, 2, 3, 4, 6, 10, 10, 10, 12, 20, 43, 100)
    width, signed = int(rng.integers(4, 13)), int(rng.integers(2))
    if number % 6 == 5:
        width = min(width, 9)
        ranks = rng.integers(0, classes << (width - 1), (classes << width, 1))
        bits = int(ranks.max()).bit_length()
        parameters = {"PE": 1, "Classes": classes, "InWidth": width, "InSigned": signed, "ScoreWidth": bits}
        parameters |= {"ScoreKind": 1, "SlopeWidth": 1, "InitFile": FILE}
        return Case("", "classifier", "qnn_classifier", parameters, {FILE: beats_to_hex(ranks, bits)})
    pe = pick(rng, *[d for d in range(1, 11) if classes % d == 0])
    slope_bits = pick(rng, 8, 8, 16, 24)
    bias_bits = pick(rng, 8, 16, 24, 32)
    score = max(slope_bits + width + 1, bias_bits + 1)
    slopes = rng.integers(-(1 << (slope_bits - 1)), 1 << (slope_bits - 1), classes)
    biases = rng.integers(-(1 << (bias_bits - 1)), 1 << (bias_bits - 1), classes)
    entries = np.stack([slopes, biases], 1)
    bits = np.concatenate([_bits(entries[:, :1], slope_bits), _bits(entries[:, 1:], score)], 1)
    parameters = {
        **{"PE": pe, "Classes": classes, "InWidth": width, "InSigned": signed, "ScoreWidth": score},
        **{"ScoreKind": 0, "SlopeWidth": slope_bits, "InitFile": FILE},
    }
    return Case("", "classifier", "qnn_classifier", parameters, {FILE: words_to_hex(bits.reshape(classes // pe, -1))})


def _bits(values: np.ndarray, width: int) -> np.ndarray:
    return ((values >> np.arange(width)) & 1).astype(np.uint8)


RANK_TABLES = ((5, 5), (3, 6), (6, 4), (10, 5))
"""Classes and bits of an accumulator."""


def rank_table(rng: Rng, number: int) -> Case:
    """Rank tables as the compiler writes them: few distinct slopes, values no input reaches read 0."""
    classes, width = RANK_TABLES[number]
    reached = round(0.6 * (1 << width))
    scores = rng.integers(-3, 4, (classes, 1)) * np.arange(reached) + rng.integers(-9, 10, (classes, 1))
    ranks = np.unique(scores, return_inverse=True)[1].reshape(scores.shape)
    bits = max(1, int(ranks.size - 1).bit_length())
    entries = np.zeros((classes, 1 << width), np.int64)
    entries[:, :reached] = ranks
    parameters = {"PE": 1, "Classes": classes, "InWidth": width, "InSigned": 0, "ScoreWidth": bits}
    parameters |= {"ScoreKind": 1, "SlopeWidth": 1, "InitFile": FILE}
    words = beats_to_hex(entries.reshape(-1, 1), bits)
    return Case("", "rank_table", "qnn_classifier", parameters, {FILE: words})


def fifo(rng: Rng, number: int) -> Case:
    depth = [2, int(rng.integers(3, 65)), int(rng.integers(3, 65)), int(rng.integers(65, 1500)), 32][number % 5]
    parameters = {"Width": pick(rng, 1, 2, 4, 8, 9, 16, 24, 32, 64, 100, 128, 256), "Depth": depth}
    return Case("", "fifo", "qnn_fifo", parameters)


def width_converter(rng: Rng, number: int) -> Case:
    narrow, ratio = pick(rng, 1, 1, 2, 3, 4, 8, 9, 16, 32), pick(rng, 2, 2, 3, 4, 6, 8, 9, 16, 32)
    parameters = {"InWidth": narrow * ratio, "OutWidth": narrow}
    if number % 2:
        parameters = {"InWidth": narrow, "OutWidth": narrow * ratio}
    return Case("", "width_converter", "qnn_width_converter", parameters)


def affine(rng: Rng, number: int) -> Case:
    scale, offset, out = [(1, -128, 8), (2, -255, 9), (1, -127, 9), (-1, 100, 9), (3, -300, 11), (4, -510, 10)][
        int(rng.integers(6))
    ]
    parameters = {"Lanes": pick(rng, 1, 2, 3, 4, 8, 16), "InWidth": 8, "InSigned": 0}
    return Case("", "affine", "qnn_affine", {**parameters, "OutWidth": out, "Scale": scale, "Offset": offset})


def logits(rng: Rng, number: int) -> Case:
    parameters = {"PE": pick(rng, 1, 2, 5), "InWidth": pick(rng, 6, 8, 10, 12), "InSigned": int(rng.integers(2))}
    return Case("", "logits", "qnn_logits", parameters)


def shell(rng: Rng, number: int) -> Case:
    wire = pick(rng, 1, 2, 8, 8, 8, 16)
    element = wire if wire < 16 else pick(rng, 9, 12, 16)
    dma = pick(rng, 64, 64, 128)
    lanes = dma // wire
    core = pick(rng, *[d for d in (1, 2, 4, 8, 16, 32, 64) if d <= lanes])
    core *= pick(rng, 1, 1, 2, 3) if number % 2 else 1
    if core > lanes:
        core = lanes * max(1, core // lanes)
    elif lanes % core:
        core = 1
    frame = core * pick(rng, 1, 2, 9, 16, 49, 128, 300)
    parameters = {
        **{"DmaWidth": dma, "WireWidth": wire, "ElemWidth": element, "FrameElements": frame, "CoreLanes": core},
        **{"OutWords": pick(rng, 1, 1, 10, 4), "NumFifos": pick(rng, 0, 3, 8), "Counters": 0, "HashFile": HASH_FILE},
    }
    words = [f"{int(v):08x}" for v in rng.integers(0, 1 << 32, 4)]
    return Case("", "shell", "qnn_shell", parameters, {HASH_FILE: words})


SIMDS = (4, 6, 9, 12, 16, 18, 24, 32, 36, 48, 64, 96)
PADDED_SIMDS = (4, 12, 18, 32, 24, 36, 64)


FIRST_LAYERS = (
    *((8, 3, 4, 9, 8, 0), (4, 1, 4, 16, 8, 1), (2, 4, 4, 8, 8, 0)),
    *((4, 9, 2, 3, 8, 1), (8, 3, 2, 4, 2, 0), (4, 8, 2, 4, 2, 0)),
)
"""PE, SIMD, passes, folds, bits and sign of an input element."""


def first_layer(rng: Rng, number: int) -> Case:
    """Units for integer inputs, as first layers are."""
    pe, simd, nf, sf, width, signed = FIRST_LAYERS[number]
    columns = simd * sf
    extreme = columns * (1 << (width - signed))
    words = rng.integers(0, 2, (nf * sf, pe * simd)).astype(np.uint8)
    parameters = {
        **{"PE": pe, "SIMD": simd, "MatrixHeight": pe * nf, "MatrixWidth": columns, "InKind": 2},
        **{"InWidth": width, "InSigned": signed, "AccWidth": smallest_dtype(-extreme, extreme).bits},
        **{"InitFile": FILE, "WeightStyle": "lut"},
    }
    return Case("", "first_layer", "qnn_mvu", parameters, {FILE: words_to_hex(words)})


POOL_WINDOWS = ((12, 1, 32), (14, 4, 16), (6, 1, 64), (10, 2, 64))
"""Size of the map, lanes, folds; the last one's buffer is a power of two deep."""


def pool_window(rng: Rng, number: int) -> Case:
    """Windows in front of 2x2 pools: much folded, small kernels."""
    size, lanes, fold = POOL_WINDOWS[number]
    parameters = {
        **{"Channels": lanes * fold, "Lanes": lanes, "ElemWidth": 1, "OutElemWidth": 1},
        **{"MapHeight": size, "MapWidth": size, "KernelHeight": 2, "KernelWidth": 2},
        **{"StrideHeight": 2, "StrideWidth": 2, "PadTop": 0, "PadBottom": 0, "PadLeft": 0, "PadRight": 0},
        **{"Ternary": 0, "PadCode": 0, "Depth": (3 * size + 2) * fold},
    }
    return Case("", "pool_window", "qnn_window", parameters)


def class_shell(rng: Rng, number: int) -> Case:
    """Shells that deliver a class: one word a frame."""
    case = shell(rng, number)
    return replace(case, name="class_shell", parameters={**case.parameters, "OutWords": 1})


def popcount(rng: Rng, number: int) -> Case:
    """Units that differ in SIMD alone: what the popcount of each width costs inside a unit."""
    return popcount_unit(rng, 0, SIMDS[number])


def padded_popcount(rng: Rng, number: int) -> Case:
    """The same for padded maps."""
    return popcount_unit(rng, 1, PADDED_SIMDS[number])


UNROLLED = ((4, 36), (8, 18), (8, 36))
"""PE, SIMD."""


def unrolled_padded(rng: Rng, number: int) -> Case:
    """Units for padded maps with a single tile: constant weights."""
    pe, simd = UNROLLED[number]
    words = rng.integers(0, 2, (1, pe * simd)).astype(np.uint8)
    parameters = {
        **{"PE": pe, "SIMD": simd, "MatrixHeight": pe, "MatrixWidth": simd, "InKind": 1, "InWidth": 2, "InSigned": 0},
        **{"AccWidth": (2 * simd).bit_length(), "InitFile": FILE, "WeightStyle": "lut"},
    }
    return Case("", "unrolled_padded", "qnn_mvu", parameters, {FILE: words_to_hex(words)})


def popcount_unit(rng: Rng, kind: int, simd: int) -> Case:
    pe, nf, sf = 4, 16, 6
    columns = sf * simd
    words = rng.integers(0, 2, (nf * sf, pe * simd)).astype(np.uint8)
    parameters = {
        **{"PE": pe, "SIMD": simd, "MatrixHeight": pe * nf, "MatrixWidth": columns, "InKind": kind},
        **{"InWidth": kind + 1, "InSigned": 0, "AccWidth": (columns * (kind + 1)).bit_length()},
        **{"InitFile": FILE, "WeightStyle": "bram"},
    }
    return Case("", "popcount" if kind == 0 else "padded_popcount", "qnn_mvu", parameters, {FILE: words_to_hex(words)})


def add(rng: Rng, number: int) -> Case:
    kinds = [pick(rng, 0, 1, 2), pick(rng, 0, 1)]
    widths = [1 if kind == 2 else pick(rng, 2, 4, 8, 12) for kind in kinds]
    lows = [0 if kind == 0 else -(1 << width - 1) for kind, width in zip(kinds, widths, strict=True)]
    highs = [(1 << width - 1) - 1 if kind == 1 else (1 << width) - 1 for kind, width in zip(kinds, widths, strict=True)]
    parameters = {
        **{"Lanes": pick(rng, 1, 2, 4, 8, 16), "In0Width": widths[0], "In0Kind": kinds[0]},
        **{"In1Width": widths[1], "In1Kind": kinds[1], "OutWidth": smallest_dtype(sum(lows), sum(highs)).bits},
    }
    return Case("", "add", "qnn_add", parameters)


def duplicate(rng: Rng, number: int) -> Case:
    parameters = {"Width": pick(rng, 1, 8, 24, 64), "Outputs": pick(rng, 2, 2, 3)}
    return Case("", "duplicate", "qnn_duplicate", parameters)


GENERATORS: tuple[tuple[Callable[[Rng, int], Case], int, int], ...] = (
    (mvu, 56, 20),
    (threshold, 20, 8),
    (window, 20, 8),
    (classifier, 15, 6),
    (fifo, 15, 5),
    (pool, 10, 4),
    (width_converter, 5, 3),
    (affine, 4, 0),
    (shell, 5, 3),
    (logits, 1, 1),
    (popcount, len(SIMDS), 0),
    (padded_popcount, len(PADDED_SIMDS), 0),
    (add, 4, 0),
    (duplicate, 2, 1),
    (first_layer, len(FIRST_LAYERS), 0),
    (class_shell, 3, 0),
    (affine, 0, 2),
    (add, 0, 2),
    (pool_window, len(POOL_WINDOWS), 0),
    (rank_table, len(RANK_TABLES), 0),
    (unrolled_padded, len(UNROLLED), 0),
)
"""Generator, configurations for fitting, configurations held out."""


def modules(name: str, seed: int, column: int) -> Iterator[Case]:
    """Configurations of every module type, from one seed a type."""
    for kind, (generate, *counts) in enumerate(GENERATORS):
        rng = np.random.default_rng([seed, kind])
        for number in range(counts[column]):
            case = generate(rng, number)
            yield replace(case, set=name, name=f"{case.name}-{number}")


NETS: dict[str, tuple[Net, str]] = {
    "dense-uint8": (Net((30,), dense=(24,), classes=6), "class"),
    "dense-bipolar": (Net((96,), dense=(32,), input_dtype=BIPOLAR, centred=False), "class"),
    "dense-deep": (Net((64,), dense=(48, 32), input_dtype=BIPOLAR, centred=False), "class"),
    "dense-2bit": (Net((32,), dense=(16,), code_dtype=DataType(2)), "class"),
    "dense-logits": (Net((48,), dense=(32,), classes=6), "logits"),
    "dense-ranked": (Net((40,), dense=(22,), classes=5, input_dtype=BIPOLAR, centred=False, ranks=True), "class"),
    "conv-valid": (Net((8, 8, 3), (Conv(8),), classes=4), "class"),
    "conv-padded": (Net((7, 7, 4), (Conv(6, same=True),), classes=3, input_dtype=BIPOLAR, centred=False), "class"),
    "conv-pool": (Net((8, 8, 1), (Conv(8, pool=(2, 2)),), classes=4), "class"),
    "conv-conv": (Net((9, 9, 2), (Conv(8, strides=(2, 2)), Conv(16, same=True)), classes=3), "class"),
}
"""Whole networks, and what they deliver."""


def nets() -> Iterator[Case]:
    """Every module of the networks above, each folded at random; the shell is a module of each."""
    board = load_board("pynq-z2")
    for number, (name, (net, output)) in enumerate(NETS.items()):
        rng = np.random.default_rng([SEED_NETS, number])
        graph = build(net, SEED_NETS + number)
        folding = {}
        for layer in foldable_layers(lower(graph)):
            pe = int(rng.choice([d for d in layer.pes() if d <= 32]))
            simd = int(rng.choice([d for d in layer.simds() if d <= 64]))
            folding[layer.name] = LayerFolding(pe, pe if layer.op.keyword == "pool" else simd)
        made = assemble(graph, board, folding=folding, output="logits" if output == "logits" else "class")
        for op in made.folded.ops:
            printed = instance(op, made.folded)
            if printed.module:
                yield Case(f"net-{name}", op.name, printed.module, printed.parameters, printed.tables)
        shape = {**shell_parameters(made.folded, made.outside), "Counters": 0, "HashFile": HASH_FILE}
        words = [f"{int(v):08x}" for v in rng.integers(0, 1 << 32, 4)]
        yield Case(f"net-{name}", "shell", "qnn_shell", shape, {HASH_FILE: words})


def cases() -> list[Case]:
    """All configurations."""
    formerly_held = (replace(case, name=f"fit2-{case.name}") for case in modules("fit", SEED_FORMERLY_HELD, 1))
    return [*modules("fit", SEED_FIT, 0), *formerly_held, *modules("held", SEED_HELD, 1), *nets()]
