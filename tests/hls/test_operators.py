# SPDX-License-Identifier: Apache-2.0
"""Every operator of the HLS library against `execute` of its IR operator, in both bodies: fast and QNN_STRUCTURAL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn_hw.ir.datatype import BIPOLAR, TERNARY, DataType, smallest_dtype
from qnn_hw.ir.graph import ConstRef, TensorType
from qnn_hw.ir.ops.affine import Affine
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.logits import Logits
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.ops.width_converter import WidthConverter
from qnn_hw.ir.ops.window import Window
from tests.hls.operator_bench import Case, compile_cpp, operator_case, pack, program, random_values, run

FRAMES = 4
BODIES = {"fast": ("-O1",), "structural": ("-O0", "-DQNN_STRUCTURAL")}
NAMES: dict[str, Any] = {"name": "op", "layer": "op", "inputs": ("x",), "outputs": ("y",)}


def mvu(
    kind: DataType, domain: Domain, rows: int, columns: int, pe: int, simd: int, pixels: int = 1, frames: int = FRAMES
) -> Case:
    """Frames with the extreme sums: the input is a row of the weights, and its opposite."""
    rng = np.random.default_rng([rows, columns, pe, simd, kind.bits])
    source = TensorType((pixels, columns) if pixels > 1 else (columns,), kind, simd)
    weights = rng.choice([-1, 1], (rows, columns)).astype(np.int64)
    x = random_values(rng, source, frames)
    x[-1] = np.where(weights[0] > 0, x.max(), x.min())
    x[-2] = np.where(weights[-1] > 0, x.min(), x.max())
    op = MatVec(**NAMES, weights=ConstRef("w"), weight_dtype=BIPOLAR, domain=domain, pe=pe, simd=simd)
    return operator_case(op, source, {"w": weights}, x)


def threshold(
    kind: DataType, channels: int, pe: int, steps: int, out: DataType, base: int, pixels: int = 1, rows: int = 0
) -> Case:
    """Thresholds at the input's values and beside them, and at both ends: always and never reached."""
    rng = np.random.default_rng([channels, pe, steps, kind.bits])
    source = TensorType((pixels, channels), kind, pe)
    x = random_values(rng, source, FRAMES)
    low, high = kind.minimum, kind.maximum + 1
    table = rng.integers(low, high, (rows or channels, steps), endpoint=True)
    table[0] = np.sort(np.resize([low, high], steps))
    table[-1] = np.clip(x[2].reshape(-1, channels)[0, -1] + rng.integers(0, 2, steps), low, high)
    op = Threshold(**NAMES, thresholds=ConstRef("t"), dtype=out, base=base, pe=pe)
    return operator_case(op, source, {"t": np.sort(table, axis=1).astype(np.int64)}, x)


def pool(kind: DataType, channels: int, pe: int, positions: int, masked: bool, pixels: int = 1) -> Case:
    rng = np.random.default_rng([channels, pe, positions, kind.bits])
    source = TensorType((pixels, positions * channels), kind, pe)
    constants = {"c": rng.integers(0, 2, channels)} if masked else {}
    op = Pool(**NAMES, positions=positions, complement=ConstRef("c" if masked else ""), pe=pe)
    return operator_case(op, source, constants, random_values(rng, source, FRAMES))


def window(
    size: tuple[int, int],
    channels: int,
    lanes: int,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    kind: DataType = BIPOLAR,
    pad_value: int = 0,
    extra_depth: int = 0,
) -> Case:
    rng = np.random.default_rng([*size, channels, lanes, *kernel])
    source = TensorType((*size, channels), kind, lanes)
    depth = ((kernel[0] - 1) * size[1] + kernel[1]) * (channels // lanes) + extra_depth
    op = Window(**NAMES, kernel=kernel, strides=strides, padding=padding, pad_value=pad_value, depth=depth)
    return operator_case(op, source, {}, random_values(rng, source, FRAMES))


def affine(kind: DataType, elements: int, lanes: int, scale: int, offset: int) -> Case:
    source = TensorType((elements,), kind, lanes)
    x = random_values(np.random.default_rng(elements), source, FRAMES)
    return operator_case(Affine(**NAMES, scale=scale, offset=offset), source, {}, x)


def logits(kind: DataType, elements: int, pe: int) -> Case:
    source = TensorType((elements,), kind, pe)
    return operator_case(Logits(**NAMES, pe=pe), source, {}, random_values(np.random.default_rng(pe), source, FRAMES))


def converter(kind: DataType, elements: int, lanes_in: int, lanes_out: int) -> Case:
    source = TensorType((elements,), kind, lanes_in)
    x = random_values(np.random.default_rng([lanes_in, lanes_out]), source, FRAMES)
    return operator_case(WidthConverter(**NAMES, lanes=lanes_out), source, {}, x)


def classifier(kind: DataType, classes: int, pe: int, ranks: bool = False) -> Case:
    """Few distinct scores, so that ties are common and fall on every class."""
    rng = np.random.default_rng([classes, pe, kind.bits])
    source = TensorType((classes,), kind, pe)
    x = random_values(rng, source, 40)
    x[10:] = np.clip(x[10:, :1] + rng.integers(0, 2, (30, classes)), kind.minimum, kind.maximum)
    x[12] = x[12, 0]
    if ranks:
        constants = {"r": rng.integers(0, 5, (classes, kind.maximum - kind.minimum + 1))}
        op = Classifier(**NAMES, ranks=ConstRef("r"), first=kind.minimum, pe=pe)
    else:
        constants = {"s": rng.choice([-3, 2, 2, 2, 7], classes), "b": rng.integers(-2, 3, classes)}
        constants["s"][: classes // 2] = 2
        constants["b"][: classes // 2] = 0
        op = Classifier(**NAMES, slopes=ConstRef("s"), biases=ConstRef("b"), pe=pe)
    return operator_case(op, source, constants, x)


def value_function(name: str, call: str, width_in: int, width_out: int, words: list[int], results: list[int]) -> Case:
    """A function without streams, called once a beat."""
    loop = f"while (!in.empty()) out.write(ap_uint<{width_out}>({call}));"
    return Case(name, loop, width_in, width_out, width_out, (tuple(words),), (tuple(results),))


def words_of(width: int, seed: int) -> list[int]:
    """All words of a narrow width; of a wide one zeros, ones, single bits, alternating and random ones."""
    if width <= 10:
        return list(range(1 << width))
    rng, ones = np.random.default_rng(seed), (1 << width) - 1
    corners = [0, ones, *(1 << i for i in range(width)), int("01" * width, 2) & ones]
    return corners + [int.from_bytes(rng.bytes(width // 8 + 1), "little") & ones for _ in range(200)]


def popcount(width: int) -> Case:
    words = words_of(width, width)
    counts = [word.bit_count() for word in words]
    call = f"qnn::popcount<{width}>(in.read())"
    return value_function(f"popcount-Width{width}", call, width, width.bit_length(), words, counts)


def dot_function(name: str, simd: int, width: int, call: str, bias: int, divisor: int, signed: bool = False) -> Case:
    """`call` sees a beat `x` of activations and a word `w` of weights; its result is (dot + bias) / divisor."""
    rng = np.random.default_rng([simd, width])
    kind = BIPOLAR if name == "dot_xnor" else TERNARY if name == "dot_ternary" else DataType(width, signed)
    x = random_values(rng, TensorType((simd,), kind, simd), 60)
    signs = rng.choice([-1, 1], x.shape)
    x[2:6] = np.where(signs[2:6] > 0, x.max(), x.min())
    dots = ((x * signs).sum(axis=1) + bias) // divisor
    activations, weights = pack(kind.codes(x), simd, width), pack((signs + 1) // 2, simd, 1)
    out = width + 2 + simd.bit_length()
    words = [a | w << simd * width for a, w in zip(activations, weights, strict=True)]
    total = simd * (width + 1)
    body = (
        f"const ap_uint<{total}> both = in.read(); "
        f"const ap_uint<{simd * width}> x = both.range({simd * width - 1}, 0); "
        f"const ap_uint<{simd}> w = both.range({total - 1}, {simd * width}); "
        f"out.write(ap_uint<{out}>({call}));"
    )
    results = tuple(int(d) & ((1 << out) - 1) for d in dots)
    loop = f"while (!in.empty()) {{ {body} }}"
    return Case(f"{name}-SIMD{simd}-{kind}", loop, total, out, out, (tuple(words),), (results,))


def functions() -> Iterator[Case]:
    for width in (1, 2, 3, 5, 6, 7, 10, 36, 64, 65, 144, 300):
        yield popcount(width)
    for simd in (1, 2, 3, 5, 16, 64, 65, 130):
        yield dot_function("dot_xnor", simd, 1, f"qnn::dot_xnor<{simd}>(x, w)", simd, 2)
    for simd in (1, 2, 5, 31, 64, 100):
        yield dot_function("dot_ternary", simd, 2, f"qnn::dot_ternary<{simd}>(x, w)", simd, 1)
    for simd, width, signed in ((1, 5, True), (3, 8, False), (4, 2, True), (9, 9, True), (65, 4, False), (6, 32, True)):
        call = f"qnn::dot_integer<{simd}, {width}, {int(signed)}>(x, w)"
        yield dot_function("dot_integer", simd, width, call, 0, 1, signed)


def matrices() -> Iterator[Case]:
    for rows, columns, pe, simd, pixels in (
        (6, 9, 2, 3, 1),
        (3, 5, 1, 1, 2),
        (4, 8, 4, 8, 3),
        (6, 8, 2, 8, 2),
        (3, 16, 3, 4, 2),
        (12, 49, 12, 7, 1),
        (160, 131, 160, 131, 1),  # beats of more than 64 and, out, of 1280 bits
        (4, 2600, 2, 1300, 1),  # beats in of more than 1024 bits
    ):
        yield mvu(BIPOLAR, Domain.POPCOUNT, rows, columns, pe, simd, pixels)
    for rows, columns, pe, simd, pixels in ((4, 9, 2, 3, 1), (6, 10, 1, 10, 2), (2, 77, 2, 77, 1), (5, 7, 5, 1, 3)):
        yield mvu(TERNARY, Domain.MASKED, rows, columns, pe, simd, pixels)
    yield mvu(DataType(8), Domain.DOT, 4, 27, 2, 27, 2)
    yield mvu(DataType(9, signed=True), Domain.DOT, 3, 6, 1, 3, 2)
    yield mvu(DataType(2), Domain.DOT, 8, 36, 4, 12, 1)
    yield mvu(DataType(8, signed=True), Domain.DOT, 6, 75, 6, 75, 1)
    yield mvu(DataType(16, signed=True), Domain.DOT, 2, 5, 2, 5, 3)
    yield mvu(DataType(1), Domain.DOT, 3, 3, 3, 1, 1)


def elementwise() -> Iterator[Case]:
    yield threshold(DataType(5), 1, 1, 1, BIPOLAR, 0, pixels=5)
    yield threshold(DataType(6, signed=True), 6, 2, 3, DataType(2, signed=True), -2, pixels=2)
    yield threshold(DataType(6), 3, 3, 3, DataType(2), 0, pixels=2)
    yield threshold(DataType(12, signed=True), 8, 4, 15, DataType(4), 0, pixels=3)
    yield threshold(DataType(8), 40, 40, 1, BIPOLAR, 0)
    yield threshold(DataType(24, signed=True), 5, 1, 2, DataType(4, signed=True), -1, pixels=3)
    yield threshold(DataType(7), 6, 3, 70, DataType(7), 3, rows=1)
    yield pool(BIPOLAR, 6, 2, 4, True, pixels=3)
    yield pool(DataType(4, signed=True), 3, 1, 9, True, pixels=2)
    yield pool(DataType(2), 4, 4, 4, False, pixels=4)
    yield pool(DataType(3), 5, 1, 1, False, pixels=2)
    yield pool(DataType(5, signed=True), 70, 35, 2, True)
    yield affine(DataType(8), 12, 3, 2, -255)
    yield affine(DataType(4, signed=True), 5, 1, -5, 3)
    yield affine(DataType(8), 40, 20, 1, -128)
    yield affine(DataType(16), 6, 2, -3000, 7)
    yield logits(DataType(9, signed=True), 10, 2)
    yield logits(DataType(9), 10, 10)
    yield logits(DataType(24, signed=True), 3, 1)
    for kind, elements, lanes_in, lanes_out in (
        (DataType(8), 6, 2, 2),
        (DataType(3), 30, 1, 5),
        (DataType(3), 30, 5, 1),
        (BIPOLAR, 1536, 64, 768),
        (BIPOLAR, 3072, 1536, 64),
        (DataType(5, signed=True), 24, 4, 24),
        (DataType(16, signed=True), 96, 96, 4),
        (BIPOLAR, 8, 8, 1),
    ):
        yield converter(kind, elements, lanes_in, lanes_out)
    yield classifier(DataType(8), 10, 1)
    yield classifier(DataType(8, signed=True), 10, 5)
    yield classifier(DataType(6, signed=True), 10, 10)
    yield classifier(DataType(5), 9, 3)
    yield classifier(DataType(20, signed=True), 4, 4)
    yield classifier(DataType(4), 1, 1)
    yield classifier(DataType(5, signed=True), 7, 1, ranks=True)
    yield classifier(DataType(4), 10, 1, ranks=True)


def windows() -> Iterator[Case]:
    yield window((5, 6), 4, 2, (3, 3))
    yield window((5, 5), 3, 3, (3, 3), padding=(1, 1, 1, 1))
    yield window((5, 5), 3, 1, (3, 3), padding=(1, 1, 1, 1), pad_value=-1)
    yield window((5, 5), 3, 1, (3, 3), padding=(1, 1, 1, 1), pad_value=1)
    yield window((6, 7), 2, 1, (3, 2), (2, 3), (1, 0, 0, 1), DataType(3), 6)
    yield window((7, 8), 1, 1, (2, 3), (3, 2), kind=DataType(4, signed=True), extra_depth=3)
    yield window((6, 6), 4, 4, (2, 2), (2, 2), kind=DataType(9, signed=True))
    yield window((4, 3), 2, 1, (3, 3), padding=(2, 2, 2, 2), kind=DataType(8, signed=True), pad_value=-128)
    yield window((1, 1), 2, 1, (1, 1))
    yield window((1, 1), 3, 1, (3, 3), padding=(1, 1, 1, 1))
    yield window((4, 4), 2, 1, (4, 4), kind=DataType(2))
    yield window((6, 6), 4, 4, (2, 2), extra_depth=40)
    yield window((3, 4), 80, 80, (2, 2), padding=(0, 1, 1, 0))  # 160 bits a beat out
    rng = np.random.default_rng(20)
    for _ in range(14):
        height, width, kh, kw, sh, sw = (int(v) for v in rng.integers(1, [8, 8, 5, 5, 4, 4]))
        top, bottom, left, right = (int(rng.integers(0, k)) for k in (kh, kh, kw, kw))
        height, width = max(height, kh - top - bottom), max(width, kw - left - right)
        lanes, kind = int(rng.integers(1, 3)), [BIPOLAR, DataType(3), DataType(4, signed=True)][int(rng.integers(3))]
        yield window(
            (height, width),
            lanes * int(rng.integers(1, 4)),
            lanes,
            (kh, kw),
            (sh, sw),
            (top, bottom, left, right),
            kind,
            0,
            int(rng.choice([0, 0, 1, 2, 7, 30])),
        )


GROUPS = {"functions": functions, "mvu": matrices, "elementwise": elementwise, "window": windows}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("group", GROUPS)
def test_operators_agree_with_the_reference(group: str, body: str, tmp_path: Path) -> None:
    cases = list(GROUPS[group]())
    source = tmp_path / f"{group}.cpp"
    source.write_text(program(cases))
    wrong = run(cases, compile_cpp(source, *BODIES[body]))
    report = "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(cases)} cases differ ({body} body):\n{report}"


def test_domains_cover_every_sum() -> None:
    """The stimulus of a popcount case reaches 0 and the number of columns."""
    case = mvu(BIPOLAR, Domain.POPCOUNT, 1, 9, 1, 3)
    assert {beat for frame in case.frames_out for beat in frame} >= {0, 9}
    assert smallest_dtype(0, 9).bits == case.width_out
