# SPDX-License-Identifier: Apache-2.0
"""Test cases of the RTL library with their references: NumPy, one plain loop or formula a module."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from qnn_hw.ir.datatype import parse_dtype, smallest_dtype
from tests.rtl.bench import Case, Stream

Integers = NDArray[np.int64]


def pack(elements: Iterable[int], width: int) -> int:
    """One beat: element 0 in the least significant bits, each as `width` bits of two's complement."""
    beat = 0
    for i, element in enumerate(elements):
        beat |= (int(element) & ((1 << width) - 1)) << (i * width)
    return beat


def beats(values: Integers, lanes: int, width: int) -> list[int]:
    """All elements in C order, `lanes` a beat."""
    return [pack(row, width) for row in values.reshape(-1, lanes)]


def integers(rng: np.random.Generator, shape: tuple[int, ...], width: int, signed: bool) -> Integers:
    """Uniform random integers of the given type, the extremes among them."""
    low = -(1 << (width - 1)) if signed else 0
    values = rng.integers(low, low + (1 << width), size=shape, dtype=np.int64)
    flat = values.reshape(-1)
    if flat.size >= 4:
        flat[0], flat[1] = low, low + (1 << width) - 1
    return values


def bits(rng: np.random.Generator, width: int) -> int:
    """A uniform random word of any width."""
    return int.from_bytes(rng.bytes((width + 7) // 8), "little") & ((1 << width) - 1)


def popcount(width: int) -> Case:
    rng = np.random.default_rng(width)
    if width <= 10:
        words = list(range(1 << width))
    else:
        corners = [0, (1 << width) - 1, *(1 << i for i in range(width)), int("01" * width, 2) & ((1 << width) - 1)]
        words = corners + [bits(rng, width) for _ in range(200)]
    out = max(1, width.bit_length())
    return Case(
        f"popcount-width{width}",
        "qnn_popcount",
        {"Width": width},
        width,
        out,
        words,
        [word.bit_count() for word in words],
        instance=f"qnn_popcount #(.Width({width})) u{{i}} (.data(c{{i}}_s_data), .count(c{{i}}_m_data));",
    )


def dot_xnor(simd: int) -> Case:
    rng = np.random.default_rng(simd)
    mask = (1 << simd) - 1
    if simd <= 5:
        pairs = [(a, w) for a in range(1 << simd) for w in range(1 << simd)]
    else:
        pairs = [(bits(rng, simd), bits(rng, simd)) for _ in range(300)]
        pairs += [(0, 0), (mask, 0), (mask, mask)]
    return Case(
        f"dot_xnor-simd{simd}",
        "qnn_dot_xnor",
        {"SIMD": simd},
        2 * simd,
        simd.bit_length(),
        [a | w << simd for a, w in pairs],
        [(~(a ^ w) & mask).bit_count() for a, w in pairs],
        instance=f"qnn_dot_xnor #(.SIMD({simd})) u{{i}} (.activations(c{{i}}_s_data[{simd - 1}:0]), "
        f".weights(c{{i}}_s_data[{2 * simd - 1}:{simd}]), .count(c{{i}}_m_data));",
    )


def dot_integer(simd: int, width: int, signed: bool, narrower: int = 0) -> Case:
    """The whole of qnn_lane_pairs, qnn_dot_integer and the carry; `narrower` bits fewer than always suffice."""
    rng = np.random.default_rng(simd * 100 + width)
    out = max(1, width + (0 if signed else 1) + (simd - 1).bit_length() - narrower)
    total = simd * (width + 1)
    if total <= 12:
        words = list(range(1 << total))
    else:
        low, high = (1 << (width - 1), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        extremes = [pack([value] * simd, width) for value in (low, high)]
        signs = [0, (1 << simd) - 1, int("01" * simd, 2) & ((1 << simd) - 1)]
        words = [x | w << (simd * width) for x in extremes for w in signs]
        words += [bits(rng, total) for _ in range(300)]
    mask, sign = (1 << width) - 1, 1 << (width - 1)
    sums = []
    for word in words:
        lanes = [(word >> (lane * width)) & mask for lane in range(simd)]
        lanes = [x - (1 << width) if signed and x & sign else x for x in lanes]
        weights = [word >> (simd * width + lane) & 1 for lane in range(simd)]
        sums.append(pack([sum(x if w else -x for x, w in zip(lanes, weights, strict=True))], out))
    return Case(
        f"dot_integer-simd{simd}-{'s' if signed else 'u'}{width}-out{out}",
        "qnn_dot_integer",
        {"SIMD": simd, "InWidth": width, "InSigned": int(signed), "OutWidth": out},
        total,
        out,
        words,
        sums,
        instance=f"logic [{simd * (width + 1) - 1}:0] pairs{{i}}; logic [{out - 1}:0] sum{{i}}; logic carry{{i}};\n"
        f"qnn_lane_pairs #(.SIMD({simd}), .InWidth({width}), .InSigned({int(signed)})) p{{i}} "
        f"(.activations(c{{i}}_s_data[{simd * width - 1}:0]), .pairs(pairs{{i}}));\n"
        f"qnn_dot_integer #(.SIMD({simd}), .InWidth({width}), .InSigned({int(signed)}), .OutWidth({out})) u{{i}} "
        f"(.pairs(pairs{{i}}), .weights(c{{i}}_s_data[{total - 1}:{simd * width}]), "
        f".sum(sum{{i}}), .carry(carry{{i}}));\n"
        f"assign c{{i}}_m_data = sum{{i}} + {out}'(carry{{i}});",
    )


def identity(name: str, module: str, width: int, **parameters: int) -> Case:
    rng = np.random.default_rng(width)
    words = [bits(rng, width) for _ in range(300)]
    latency = 2 if parameters.get("Depth", 2) > 2 else 1
    return Case(
        name,
        module,
        {"Width": width, **parameters},
        width,
        width,
        words,
        words,
        cycles_limit=300 + latency,
        latency=latency,
    )


def duplicate(width: int, outputs: int) -> Case:
    rng = np.random.default_rng(width * 10 + outputs)
    words = [bits(rng, width) for _ in range(300)]
    return Case(
        f"duplicate-width{width}-outputs{outputs}",
        "qnn_duplicate",
        {"Width": width, "Outputs": outputs},
        width,
        width,
        words,
        words,
        cycles_limit=301,
        latency=1,
        more_outputs=(Stream("m_axis", width, words),) * (outputs - 1),
    )


def add(lanes: int, a: str, b: str) -> Case:
    """Types in the text form: u3, i4 or b1; every pair of codes of narrow types, random pairs of wide ones."""
    kinds = [parse_dtype(text) for text in (a, b)]
    low, high = sum(kind.minimum for kind in kinds), sum(kind.maximum for kind in kinds)
    out = smallest_dtype(low, high).bits
    rng = np.random.default_rng(lanes)
    widths = [kind.bits for kind in kinds]
    if sum(widths) <= 8:
        pairs = np.stack(np.meshgrid(*(np.arange(1 << width) for width in widths)), axis=-1).reshape(-1, 2)
        pairs = rng.permutation(np.resize(pairs, (max(200, -(-len(pairs) // lanes)) * lanes, 2)))
    else:
        pairs = np.stack([integers(rng, (200 * lanes,), width, False) for width in widths], axis=1)
    codes = [pairs[:, side] for side in (0, 1)]
    signed = [np.where(c >> (k.bits - 1) & k.signed, c - (1 << k.bits), c) for c, k in zip(codes, kinds, strict=True)]
    total = sum(kind.values(code) for kind, code in zip(kinds, signed, strict=True))
    beats_in = [beats(code, lanes, width) for code, width in zip(codes, widths, strict=True)]
    parameters = {"Lanes": lanes, "OutWidth": out}
    for side, kind in enumerate(kinds):
        parameters |= {f"In{side}Width": kind.bits, f"In{side}Kind": 2 if kind.bipolar else int(kind.signed)}
    return Case(
        f"add-lanes{lanes}-{a}-{b}",
        "qnn_add",
        parameters,
        lanes * widths[0],
        lanes * out,
        beats_in[0],
        beats(total, lanes, out),
        cycles_limit=len(beats_in[0]) + 1,
        latency=1,
        ports=("s0_axis", "m_axis"),
        more_inputs=(Stream("s1_axis", lanes * widths[1], beats_in[1]),),
    )


def width_converter(width_in: int, width_out: int) -> Case:
    rng = np.random.default_rng(width_in * 100 + width_out)
    step = int(np.gcd(width_in, width_out))
    elements = integers(rng, (240 * max(width_in, width_out) // step,), min(step, 62), False)[:1200]
    elements = elements[: len(elements) // (max(width_in, width_out) // step) * (max(width_in, width_out) // step)]
    in_beats = beats(elements, width_in // step, step)
    out_beats = beats(elements, width_out // step, step)
    return Case(
        f"width_converter-{width_in}to{width_out}",
        "qnn_width_converter",
        {"InWidth": width_in, "OutWidth": width_out},
        width_in,
        width_out,
        in_beats,
        out_beats,
        cycles_limit=max(len(in_beats), len(out_beats)) + 1,
        latency=int(width_in != width_out),
        first_needs=max(1, width_out // width_in),
    )


def affine(lanes: int, width: int, signed: bool, out: int, scale: int, offset: int) -> Case:
    rng = np.random.default_rng(lanes)
    x = integers(rng, (200, lanes), width, signed)
    return Case(
        f"affine-{scale}x{offset:+d}-{'s' if signed else 'u'}{width}",
        "qnn_affine",
        {"Lanes": lanes, "InWidth": width, "InSigned": int(signed), "OutWidth": out, "Scale": scale, "Offset": offset},
        lanes * width,
        lanes * out,
        beats(x, lanes, width),
        beats(scale * x + offset, lanes, out),
        cycles_limit=200 + 1,
        latency=1,
    )


def logits(pe: int, width: int, signed: bool) -> Case:
    x = integers(np.random.default_rng(pe), (60, pe), width, signed)
    return Case(
        f"logits-pe{pe}-{'s' if signed else 'u'}{width}",
        "qnn_logits",
        {"PE": pe, "InWidth": width, "InSigned": int(signed)},
        pe * width,
        pe * 32,
        beats(x, pe, width),
        beats(x, pe, 32),
        cycles_limit=60,
        latency=0,
    )


def window(
    map_size: tuple[int, int],
    channels: int,
    lanes: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ternary: bool = False,
    width: int = 3,
    extra_depth: int = 0,
    frames: int = 3,
) -> Case:
    """`pads` is top, bottom, left, right."""
    (height, columns), (kh, kw), (sh, sw), (top, bottom, left, right) = map_size, kernel, stride, pads
    rng = np.random.default_rng(height * 1000 + columns * 100 + channels)
    width = 1 if ternary else width
    pad_code = (1 << width) - 2 if width > 1 else 1
    x = integers(rng, (frames, height, columns, channels), width, False)
    values = 2 * x - 1 if ternary else x
    padded = np.full((frames, height + top + bottom, columns + left + right, channels), 0 if ternary else pad_code)
    padded[:, top : top + height, left : left + columns] = values
    oh = (height + top + bottom - kh) // sh + 1
    ow = (columns + left + right - kw) // sw + 1
    out = [
        padded[f, r * sh : r * sh + kh, c * sw : c * sw + kw].reshape(-1)
        for f in range(frames)
        for r in range(oh)
        for c in range(ow)
    ]
    fold = channels // lanes
    depth = ((kh - 1) * columns + kw) * fold + extra_depth
    out_width = 2 if ternary else width
    in_beats = beats(x, lanes, width)
    out_beats = beats(np.concatenate(out), lanes, out_width)
    return Case(
        f"window-{height}x{columns}x{channels}-l{lanes}-k{kh}x{kw}-s{sh}x{sw}-p{top}{bottom}{left}{right}"
        f"{'-ternary' if ternary else ''}-depth+{extra_depth}",
        "qnn_window",
        {
            "Channels": channels,
            "Lanes": lanes,
            "ElemWidth": width,
            "OutElemWidth": out_width,
            "MapHeight": height,
            "MapWidth": columns,
            "KernelHeight": kh,
            "KernelWidth": kw,
            "StrideHeight": sh,
            "StrideWidth": sw,
            "PadTop": top,
            "PadBottom": bottom,
            "PadLeft": left,
            "PadRight": right,
            "Ternary": int(ternary),
            "PadCode": 0 if ternary else pad_code,
            "Depth": depth,
        },
        lanes * width,
        lanes * out_width,
        in_beats,
        out_beats,
        # Input and output overlap fully where the buffer holds the rows a window advances by besides its own span;
        # where it is minimal they do not.
        cycles_limit=max(len(in_beats), len(out_beats)) + depth - extra_depth + 3
        if extra_depth >= sh * columns * fold
        else len(in_beats) + len(out_beats) + 3,
        latency=3,
    )


def mvu(
    pe: int, simd: int, rows: int, columns: int, kind: int, width: int = 1, signed: bool = False, style: str = "auto"
) -> Case:
    rng = np.random.default_rng(pe * 1000 + simd * 100 + rows + kind)
    vectors = 7
    w = rng.integers(0, 2, size=(rows, columns))
    signs = 2 * w - 1
    match kind:
        case 0:
            x = integers(rng, (vectors, columns), 1, False)
            x[-1], x[-2] = w[0], 1 - w[0]  # popcount at its extremes
            y = (x[:, None, :] == w[None]).sum(axis=2)
            width, acc = 1, columns.bit_length()
        case 1:
            x = rng.integers(-1, 2, size=(vectors, columns))
            x[-1], x[-2], x[-3] = signs[0], -signs[0], 0
            y = x @ signs.T + columns
            width, acc = 2, (2 * columns).bit_length()
        case _:
            x = integers(rng, (vectors, columns), width, signed)
            y = x @ signs.T
            acc = int(np.abs(y).max()).bit_length() + 1
    folds = columns // simd
    table = [
        pack(w[nf * pe : (nf + 1) * pe, sf * simd : (sf + 1) * simd].reshape(-1), 1)
        for nf in range(rows // pe)
        for sf in range(folds)
    ]
    name = f"mvu-kind{kind}-{'s' if signed else 'u'}{width}-{rows}x{columns}-pe{pe}-simd{simd}-{style}"
    return Case(
        name,
        "qnn_mvu",
        {
            "PE": pe,
            "SIMD": simd,
            "MatrixHeight": rows,
            "MatrixWidth": columns,
            "InKind": kind,
            "InWidth": width,
            "InSigned": int(signed),
            "AccWidth": acc,
            "InitFile": name + ".mem",
            "WeightStyle": style,
        },
        simd * width,
        pe * acc,
        beats(x, simd, width),
        beats(y, pe, acc),
        {name + ".mem": table},
        cycles_limit=vectors * len(table) + 3,
        latency=3,
        first_needs=folds,
    )


def threshold(pe: int, channels: int, width: int, signed: bool, steps: int, out: int, base: int) -> Case:
    rng = np.random.default_rng(channels * 10 + steps)
    x = integers(rng, (40, channels), width, signed)
    t = integers(rng, (channels, steps), width + 1, signed)
    y = base + (x[:, :, None] >= t[None]).sum(axis=2)
    name = f"threshold-{channels}ch-pe{pe}-{'s' if signed else 'u'}{width}-steps{steps}-base{base}"
    return Case(
        name,
        "qnn_threshold",
        {
            "PE": pe,
            "Channels": channels,
            "InWidth": width,
            "InSigned": int(signed),
            "Steps": steps,
            "ThresholdWidth": width + 1,
            "OutWidth": out,
            "OutBase": base,
            "InitFile": name + ".mem",
        },
        pe * width,
        pe * out,
        beats(x, pe, width),
        beats(y, pe, out),
        {name + ".mem": beats(t, pe * steps, width + 1)},
        cycles_limit=40 * channels // pe + 2,
        latency=2,
    )


def pool(pe: int, channels: int, width: int, signed: bool, positions: int, masked: bool) -> Case:
    rng = np.random.default_rng(channels * 10 + positions)
    x = integers(rng, (12, positions, channels), width, signed)
    mask = rng.integers(0, 2, size=channels) if masked else np.zeros(channels, dtype=np.int64)
    y = x.max(axis=1)
    y = np.where(mask[None] == 1, ~y, y)
    name = f"pool-{channels}ch-pe{pe}-{'s' if signed else 'u'}{width}-n{positions}{'-masked' if masked else ''}"
    parameters: dict[str, int | str] = {
        "PE": pe,
        "Channels": channels,
        "ElemWidth": width,
        "Signed": int(signed),
        "Positions": positions,
    }
    if masked:
        parameters["InitFile"] = name + ".mem"
    return Case(
        name,
        "qnn_pool",
        parameters,
        pe * width,
        pe * width,
        beats(x, pe, width),
        beats(y, pe, width),
        {name + ".mem": beats(mask, pe, 1)} if masked else {},
        cycles_limit=12 * positions * channels // pe + 2,
        latency=2,
        first_needs=(positions - 1) * channels // pe + 1,
    )


def classifier(pe: int, classes: int, width: int, signed: bool, kind: int) -> Case:
    rng = np.random.default_rng(classes * 10 + pe)
    frames = 60
    # Few distinct values, so that ties are common and fall on every class.
    x = integers(rng, (frames, classes), width, signed)
    x[10:] = x[10:, :1] + rng.integers(0, 2, size=(frames - 10, classes))
    x = np.clip(x, -(1 << (width - 1)) if signed else 0, (1 << (width - int(signed))) - 1)
    name = f"classifier-{classes}-pe{pe}-{'s' if signed else 'u'}{width}-{'rank' if kind else 'affine'}"
    if kind == 0:
        slope_width, score_width = 4, width + 7
        slope = rng.choice([-3, 2, 2, 2, 7], size=classes)
        bias = rng.integers(-2, 3, size=classes)
        scores = x * slope + bias
        entries = ((bias & ((1 << score_width) - 1)) << slope_width) | (slope & 15)
        table = beats(entries, pe, score_width + slope_width)
    else:
        slope_width, score_width = 1, 3
        ranks = rng.integers(0, 8, size=(classes, 1 << width))
        scores = ranks[np.arange(classes), x & ((1 << width) - 1)]
        table = [int(r) for r in ranks.reshape(-1)]
    return Case(
        name,
        "qnn_classifier",
        {
            "PE": pe,
            "Classes": classes,
            "InWidth": width,
            "InSigned": int(signed),
            "ScoreWidth": score_width,
            "ScoreKind": kind,
            "SlopeWidth": slope_width,
            "InitFile": name + ".mem",
        },
        pe * width,
        32,
        beats(x, pe, width),
        [int(i) for i in scores.argmax(axis=1)],
        {name + ".mem": table},
        cycles_limit=frames * classes // pe + 4,
        latency=4,
        first_needs=classes // pe,
    )


STANDARD: tuple[Case, ...] = (
    *(popcount(width) for width in (1, 2, 3, 5, 6, 7, 10, 36, 144)),
    *(dot_xnor(simd) for simd in (1, 2, 3, 5, 16, 64)),
    *(dot_integer(simd, 1, signed) for simd in (1, 2, 5) for signed in (False, True)),
    *(dot_integer(simd, width, signed) for simd, width in ((1, 5), (3, 3), (4, 2)) for signed in (False, True)),
    *(dot_integer(simd, 8, signed) for simd in (3, 16, 27) for signed in (False, True)),
    dot_integer(9, 8, True, narrower=3),
    dot_integer(6, 4, False, narrower=6),
    identity("register_slice", "qnn_register_slice", 9),
    *(identity(f"fifo-depth{d}", "qnn_fifo", 8, Depth=d, Counters=1) for d in (2, 3, 4, 17, 100)),
    *(width_converter(a, b) for a, b in ((8, 8), (3, 15), (15, 3), (8, 64), (64, 8), (1, 2))),
    duplicate(8, 2),
    duplicate(13, 3),
    add(1, "u2", "u2"),
    add(3, "b1", "i3"),
    add(2, "b1", "b1"),
    add(4, "i9", "u5"),
    affine(3, 8, False, 9, 2, -255),
    affine(1, 4, True, 7, -5, 3),
    logits(2, 9, True),
    window((5, 6), 4, 2, (3, 3)),
    window((5, 5), 3, 3, (3, 3), pads=(1, 1, 1, 1), ternary=True),
    window((6, 7), 2, 1, (3, 2), stride=(2, 3), pads=(1, 0, 0, 1)),
    window((7, 8), 1, 1, (2, 3), stride=(3, 2), extra_depth=3),
    window((5, 5), 2, 2, (2, 2), stride=(2, 2), frames=5),
    window((4, 3), 2, 1, (3, 3), pads=(2, 2, 2, 2), extra_depth=1),
    window((1, 1), 2, 1, (1, 1), frames=20),
    window((1, 1), 3, 1, (3, 3), pads=(1, 1, 1, 1), ternary=True, frames=6),
    window((6, 6), 4, 4, (2, 2), stride=(1, 1), extra_depth=40),
    window((4, 4), 2, 1, (4, 4), frames=4),
    window((5, 6), 2, 1, (3, 3), extra_depth=12, frames=12),
    window((4, 5), 2, 2, (3, 3), pads=(1, 1, 1, 1), ternary=True, extra_depth=5, frames=20),
    window((6, 6), 2, 2, (2, 2), stride=(2, 2), extra_depth=12, frames=20),
    mvu(2, 3, 6, 9, 0, style="bram"),
    mvu(1, 1, 3, 5, 0),
    mvu(4, 8, 4, 8, 0),
    mvu(2, 8, 6, 8, 0, style="lut"),
    mvu(3, 4, 3, 16, 0, style="lutram"),
    mvu(2, 3, 4, 9, 1),
    mvu(2, 27, 4, 27, 2, 8, False),
    mvu(1, 3, 3, 6, 2, 9, True),
    threshold(1, 1, 5, False, 1, 1, 0),
    threshold(2, 6, 6, True, 3, 2, -2),
    threshold(3, 3, 6, False, 3, 2, 0),
    pool(2, 6, 1, False, 4, True),
    pool(1, 3, 4, True, 9, True),
    pool(4, 4, 2, False, 4, False),
    pool(1, 5, 3, True, 1, False),
    pool(2, 4, 2, False, 1, True),
    classifier(1, 10, 8, False, 0),
    classifier(5, 10, 8, True, 0),
    classifier(10, 10, 6, True, 0),
    classifier(3, 9, 5, False, 0),
    classifier(1, 7, 5, True, 1),
    classifier(1, 1, 4, False, 0),
)
"""What every test run builds, twice: with the structural popcounts and without."""


def random_windows(count: int) -> tuple[Case, ...]:
    """Windows of random legal shape."""
    rng = np.random.default_rng(20)
    cases: dict[str, Case] = {}
    while len(cases) < count:
        height, columns, kh, kw, sh, sw = (int(v) for v in rng.integers(1, [8, 8, 5, 5, 4, 4]))
        pads = tuple(int(rng.integers(0, k)) for k in (kh, kh, kw, kw))
        if kh > height + pads[0] + pads[1] or kw > columns + pads[2] + pads[3]:
            continue
        lanes = int(rng.integers(1, 3))
        case = window(
            (height, columns),
            lanes * int(rng.integers(1, 4)),
            lanes,
            (kh, kw),
            (sh, sw),
            (pads[0], pads[1], pads[2], pads[3]),
            ternary=bool(rng.integers(0, 2)),
            extra_depth=int(rng.choice([0, 0, 1, 2, 7, 30])),
            frames=4,
        )
        cases[case.name] = case
    return tuple(cases.values())
