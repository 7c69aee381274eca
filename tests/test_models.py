# SPDX-License-Identifier: Apache-2.0
"""The profiler, with every figure worked out by hand; the peers' tests compare larq's reference nets."""

import json
from collections.abc import Callable
from typing import Any

import keras
import pytest

from qnn_hw import layers, models, quantizers, zoo
from qnn_hw.compiler import compile
from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import convert
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.matvec import MatVec

WEIGHTS_ONLY: dict[str, Any] = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
BINARY: dict[str, Any] = {**WEIGHTS_ONLY, "input_quantizer": "ste_sign"}
SEPARABLE: dict[str, Any] = {
    "depthwise_quantizer": "ste_sign",
    "pointwise_quantizer": "ste_sign",
    "depthwise_constraint": "weight_clip",
    "pointwise_constraint": "weight_clip",
    "use_bias": False,
}


def row_of(shape: tuple[int, ...], *parts: Any, dtype: str = "float32") -> models.LayerProfile:
    """Profile of the last layer of a chain."""
    return models.profile(keras.Sequential([keras.Input(shape, dtype=dtype), *parts])).layers[-1]


def macs_of(row: models.LayerProfile) -> list[tuple[int, int, str]]:
    assert row.macs is not None, f"{row.name}: not counted"
    return [(m.count, m.bits, m.kind) for m in row.macs]


def small_net() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((10, 10, 3), dtype="uint8"),
            layers.QuantConv2D(8, 3, name="conv1", **WEIGHTS_ONLY),
            keras.layers.BatchNormalization(name="bn1"),
            layers.QuantConv2D(16, 3, padding="same", name="conv2", **BINARY),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.BatchNormalization(scale=False, name="bn2"),
            keras.layers.Activation(quantizers.SteTern(), name="tern"),
            keras.layers.Flatten(name="flatten"),
            layers.QuantDense(4, kernel_quantizer="ste_tern", kernel_constraint="weight_clip", name="out"),
        ],
        name="net",
    )


# conv1: 3*3*3*8 = 216 weights at 8*8 pixels are 13824 MACs on bytes; 10*10*3 bytes = 300 B are read; sums lie within
# +-27*255 = 6885, 14 bits. conv2: 3*3*8*16 = 1152 weights at 8*8 pixels, 73728 MACs; 8*8*8 bits = 64 B; sums within
# +-72, 8 bits. out: 4*4*16*4 = 1024 ternary weights and 4 biases; 256 two-bit codes = 64 B; two bits reach down to -2
# on both sides, sums up to 4*256 = 1024: 12 bits. The normalizations fold into 2*8 and 2*16 numbers. Memory: 1368
# bits + 2 * 1024 bits + 32 * 52 bits = 5080 bits = 635 B; with 8-bit floats 3416 + 416 = 3832 bits = 479 B.
TABLES = """\
+net stats-----------------------------------------------------------------------------------------------------+
| Layer    Input prec.         Outputs  # 1-bit  # 2-bit  # 32-bit  Memory  1-bit MACs  2-bit MACs  8-bit MACs |
|                (bit)                      x 1      x 1       x 1    (kB)                                     |
+--------------------------------------------------------------------------------------------------------------+
| conv1              8   (-1, 8, 8, 8)      216        0         0    0.03           0           0       13824 |
| bn1                -   (-1, 8, 8, 8)        0        0        16    0.06           0           0           0 |
| conv2              1  (-1, 8, 8, 16)     1152        0         0    0.14       73728           0           0 |
| pool               -  (-1, 4, 4, 16)        0        0         0       0           0           0           0 |
| bn2                -  (-1, 4, 4, 16)        0        0        32    0.12           0           0           0 |
| tern               -  (-1, 4, 4, 16)        0        0         0       0           ?           ?           ? |
| flatten            -       (-1, 256)        0        0         0       0           0           0           0 |
| out                2         (-1, 4)        0     1024         4    0.27           0        1024           0 |
+--------------------------------------------------------------------------------------------------------------+
| Total                                    1368     1024        52    0.62       73728        1024       13824 |
+--------------------------------------------------------------------------------------------------------------+
+net summary----------------------------------+
| Total params                       2.44 k   |
| Trainable params                   2.4 k    |
| Non-trainable params               48       |
| Model size                         635.00 B |
| Model size (8-bit FP weights)      479.00 B |
| Float-32 Equivalent                9.55 KiB |
| Compression Ratio of Memory        0.06     |
| Number of MACs                     88.6 k   |
| Ratio of MACs that are binarized   0.8324   |
| Ratio of MACs that are ternarized  0.0116   |
+---------------------------------------------+
+net hardware----------------------------------------------------------------------------+
| Layer  Input  Weights  Accumulator  Activations  Binary MACs  Ternary MACs  k-bit MACs |
|                                            (kB)                                        |
+----------------------------------------------------------------------------------------+
| conv1     u8       b1          i14         0.29            0             0       13824 |
| conv2     b1       b1           i8         0.06        73728             0           0 |
| out       i2       i2          i12         0.06            0          1024           0 |
+----------------------------------------------------------------------------------------+
| Total                                      0.42        73728          1024       13824 |
+----------------------------------------------------------------------------------------+
+net hardware-------------------+
| Activation memory    428.00 B |
| Largest feature map  300.00 B |
+-------------------------------+
"""


def test_tables_of_a_small_net() -> None:
    texts: list[str] = []
    models.summary(small_net(), print_fn=texts.append)
    got = "\n".join(texts) + "\n"
    assert got == TABLES, got


def test_without_macs_there_are_no_mac_columns() -> None:
    texts = models.profile(small_net()).tables(include_macs=False)
    assert len(texts) == 4
    assert not [line for text in texts for line in text.splitlines() if "MAC" in line]


def test_no_name_is_too_long_for_a_table() -> None:
    """A title that does not fit is left out, as larq does."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Flatten(name="f")], name="n" * 80)
    for text in models.profile(model).tables():
        assert len({len(line) for line in text.splitlines()}) == 1, text


# ---- figures that larq gets wrong


@pytest.mark.parametrize(
    ("shape", "layer", "count", "terms_type"),
    [
        # 3*3*1*8 = 72 weights on 28*28 pixels; larq takes the axes 8 and 28 for the pixels: 16128.
        pytest.param((1, 28, 28), layers.QuantConv2D(8, 3, padding="same", data_format="channels_first", **BINARY),
                     72 * 28 * 28, "i5", id="channels-first"),
        # 3*3*4*2 = 72 weights, put on each of 8*8 input pixels; larq takes the 10*10 output pixels: 7200.
        pytest.param((8, 8, 2), layers.QuantConv2DTranspose(4, 3, **BINARY), 72 * 8 * 8, "i6", id="transposed"),
        # Stride 2: an output is reached by at most 2*2 of the 3*3 taps, of 2 channels each: sums within +-8.
        pytest.param((8, 8, 2), layers.QuantConv2DTranspose(4, 3, strides=2, **BINARY), 72 * 64, "i5", id="strided"),
        pytest.param((2, 8, 8), layers.QuantConv2DTranspose(4, 3, data_format="channels_first", **BINARY),
                     72 * 8 * 8, "i6", id="transposed-channels-first"),
        # 2*3*3*2*4 = 144 weights on 4*6*5 outputs; larq counts nothing.
        pytest.param((5, 8, 7, 2), layers.QuantConv3D(4, (2, 3, 3), **BINARY), 144 * 4 * 6 * 5, "i7", id="conv3d"),
        pytest.param((3, 4, 5, 2), layers.QuantConv3DTranspose(4, 2, **BINARY), 64 * 60, "i6", id="transposed-3d"),
        # Every one of the 6*5 outputs has its own 3*3*2*4 = 72 weights, used once.
        pytest.param((8, 7, 2), layers.QuantLocallyConnected2D(4, 3, **BINARY), 72 * 6 * 5, "i6", id="local-2d"),
        pytest.param((9, 2), layers.QuantLocallyConnected1D(4, 3, strides=2, **BINARY), 24 * 4, "i4", id="local-1d"),
        # Right in larq, too: groups, dilation, depthwise, one and two dimensions.
        pytest.param((8, 8, 6), layers.QuantConv2D(4, 3, groups=2, strides=2, padding="same", **BINARY),
                     3 * 3 * 3 * 4 * 16, "i6", id="groups"),
        pytest.param((9, 2), layers.QuantConv1D(4, 3, dilation_rate=2, **BINARY), 24 * 5, "i4", id="conv1d"),
        pytest.param((5, 3), layers.QuantDense(7, **BINARY), 21 * 5, "i3", id="dense-on-a-sequence"),
        pytest.param((8, 8, 4), layers.QuantDepthwiseConv2D(3, input_quantizer="ste_sign",
                     depthwise_quantizer="ste_sign", depthwise_constraint="weight_clip"), 36 * 36, "i5", id="deep"),
    ],
)  # fmt: skip
def test_binary_macs(shape: tuple[int, ...], layer: Any, count: int, terms_type: str) -> None:
    row = row_of(shape, layer)
    assert macs_of(row) == [(count, 1, "binary")]
    assert (row.input_type, row.weight_type, row.accumulator_type) == ("b1", "b1", terms_type)
    assert row.input_precision == 1


def test_the_pointwise_product_of_a_separable_convolution_reads_sums() -> None:
    """Nothing quantizes the nine-term sums -9..9 (5 bits) of the depthwise product; larq calls all MACs 1-bit."""
    row = row_of((12, 12, 16), layers.QuantSeparableConv2D(8, 3, input_quantizer="ste_sign", **SEPARABLE))
    assert macs_of(row) == [(3 * 3 * 16 * 100, 1, "binary"), (16 * 8 * 100, 5, "k-bit")]
    # Five bits reach from -16 to 15: 16 of them sum up within +-256, ten bits.
    assert row.accumulator_type == "i10"
    floats = row_of((12, 12, 16), layers.QuantSeparableConv2D(8, 3, **SEPARABLE))
    assert macs_of(floats) == [(14400, 32, "float"), (12800, 32, "float")]


def test_a_quantizer_that_does_not_state_its_bits() -> None:
    """larq raises a TypeError."""

    def halves(x: Any) -> Any:
        return keras.ops.round(2 * x) / 2

    row = row_of((4,), layers.QuantDense(3, input_quantizer=halves, kernel_quantizer="ste_sign",
                                         kernel_constraint="weight_clip"))  # fmt: skip
    assert (row.input_precision, macs_of(row)) == ("?", [(12, 32, "float")])
    assert (row.input_type, row.weight_type, row.accumulator_type) == ("?", "b1", "?")
    halves.precision = 3  # type: ignore[attr-defined]
    row = row_of((4,), layers.QuantDense(3, input_quantizer=halves, kernel_quantizer=halves))
    assert (row.input_precision, macs_of(row), row.weights[0].bits) == (3, [(12, 3, "k-bit")], 3)


@pytest.mark.parametrize(
    ("dtype", "front", "precision", "input_type", "macs"),
    [
        pytest.param("uint8", [], 8, "u8", 8, id="uint8-input"),
        pytest.param("int16", [], 16, "i16", 16, id="int16-input"),
        pytest.param("float32", [], None, "float", 32, id="float-input"),
        # x / 128 - 1 = (x - 128) / 128; x / 127.5 - 1 = (2 x - 255) / 255, from -255 to 255.
        pytest.param("float32", [keras.layers.Rescaling(1 / 255)], 8, "u8", 8, id="bytes-scaled"),
        pytest.param("uint8", [keras.layers.Rescaling(1 / 128, offset=-1)], 8, "i8", 8, id="bytes-centred"),
        pytest.param("float32", [keras.layers.Rescaling(1 / 127.5, -1)], 8, "i9", 8, id="bytes-to-plus-minus-1"),
        pytest.param("float32", [keras.layers.Rescaling([1.0, 2.0, 3.0])], 8, "?", 8, id="one-scale-a-channel"),
        pytest.param("uint8", [keras.layers.BatchNormalization()], None, "float", 32, id="normalized"),
        pytest.param("float32", [quantizers.SteSign()], 1, "b1", 1, id="quantizer-layer"),
        pytest.param("float32", [keras.layers.Activation(quantizers.DoReFa(3))], 3, "u3", 3, id="activation-layer"),
        pytest.param("float32", [layers.QuantConv2D(3, 1, activation=quantizers.SteSign())], 1, "b1", 1, id="own"),
        pytest.param("float32", [keras.layers.Conv2D(3, 1, activation="relu")], None, "float", 32, id="relu"),
        pytest.param("float32", [quantizers.SteSign(), keras.layers.MaxPooling2D(2), keras.layers.Dropout(0.5),
                                 keras.layers.Permute((2, 1, 3))], 1, "b1", 1, id="moved"),
        pytest.param("float32", [quantizers.SteSign(), keras.layers.ZeroPadding2D(1)], 2, "i2", 2, id="zeros-around"),
        pytest.param("uint8", [keras.Sequential([keras.layers.Identity()])], 8, "u8", 8, id="through-a-sub-model"),
        pytest.param("float32", [quantizers.SteSign(), keras.layers.AveragePooling2D(2)], None, "float", 32, id="mean"),
    ],
)  # fmt: skip
def test_what_a_layer_reads(dtype: str, front: list[Any], precision: int | None, input_type: str, macs: int) -> None:
    row = row_of((8, 8, 3), *front, layers.QuantConv2D(4, 1, **WEIGHTS_ONLY), dtype=dtype)
    assert (row.input_precision, row.input_type) == (precision, input_type)
    assert [bits for _, bits, _ in macs_of(row)] == [macs]
    assert row.activation_bits == (macs_of(row)[0][0] // 4) * macs, "what a 1x1 kernel reads: three values a pixel"


@pytest.mark.parametrize(
    ("activations", "weights", "bits", "kind"),
    [
        pytest.param("ste_sign", "ste_sign", 1, "binary", id="binary"),
        pytest.param("ste_heaviside", "ste_sign", 1, "binary", id="zero-one"),
        pytest.param("ste_sign", "magnitude_aware_sign", 1, "binary", id="scaled-signs"),
        pytest.param("ste_tern", "ste_sign", 2, "ternary", id="ternary-binary"),
        pytest.param("ste_sign", "ste_tern", 2, "ternary", id="binary-ternary"),
        pytest.param(quantizers.DoReFa(2), "ste_sign", 2, "k-bit", id="two-bit"),
        pytest.param(quantizers.DoReFa(2), quantizers.DoReFa(3, "weights"), 3, "k-bit", id="three-bit"),
        pytest.param(quantizers.FixedPoint(8, 4), "ste_tern", 8, "k-bit", id="eight-bit"),
        pytest.param(None, "ste_sign", 32, "float", id="float-input"),
        pytest.param("ste_sign", None, 32, "float", id="float-weights"),
    ],
)
def test_kinds_of_macs(activations: Any, weights: Any, bits: int, kind: str) -> None:
    """larq calls every 2-bit MAC ternarized, those of DoReFa's four levels, too."""
    layer = layers.QuantDense(
        5, input_quantizer=activations, kernel_quantizer=weights, kernel_constraint="weight_clip", use_bias=False
    )
    model = keras.Sequential([keras.Input((6,)), layer])
    found = models.profile(model)
    assert macs_of(found.layers[-1]) == [(30, bits, kind)]
    assert ("ternarized" in found.tables()[1]) == (kind == "ternary")
    assert ("binarized" in found.tables()[1]) == (kind == "binary")


def nested() -> keras.Model:
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.QuantConv2D(4, 3, padding="same", name="deep", **BINARY),
            keras.layers.BatchNormalization(name="bn"),
        ],
        name="inner",
    )
    x = keras.Input((8, 8, 3), name="image")
    y = layers.QuantConv2D(4, 3, name="conv", **WEIGHTS_ONLY)(x)
    return keras.Model(x, keras.layers.Dense(3, name="out")(keras.layers.Flatten(name="flat")(inner(inner(y)))))


def test_sub_models_are_one_row_or_expanded() -> None:
    """`inner` is called twice: twice the MACs (3*3*4*4 * 6*6 = 5184 each), the weights once."""
    folded, expanded = models.profile(nested()), models.profile(nested(), expand=True)
    assert [row.name for row in folded.layers] == ["image", "conv", "inner", "flat", "out"]
    assert [row.name for row in expanded.layers] == ["image", "conv", "inner/deep", "inner/bn", "flat", "out"]
    one, deep = folded.layers[2], expanded.layers[2]
    assert macs_of(one) == macs_of(deep) == [(5184, 1, "binary")] * 2
    assert sum(w.count for w in one.weights) == 144 + 8
    assert (one.input_precision, one.output_shape) == (1, ((-1, 6, 6, 4),))
    assert one.activation_bits == deep.activation_bits == 2 * 6 * 6 * 4
    assert folded.to_dict()["totals"] == expanded.to_dict()["totals"]


def test_branches_several_outputs_and_operations() -> None:
    x = keras.Input((8,), name="x")
    a, b = quantizers.SteSign(name="a")(x), quantizers.SteSign(name="b")(x)
    joined = keras.layers.Concatenate(name="joined")([a, b])
    first = layers.QuantDense(4, name="first", **WEIGHTS_ONLY)(joined)
    second = layers.QuantDense(4, name="second", **WEIGHTS_ONLY)(joined + 0.0)
    rows = {row.name: row for row in models.profile(keras.Model(x, [first, second])).layers}
    assert rows["first"].input_precision == 1
    assert rows["second"].input_precision is None, "an operation outside of layers makes floats"
    assert macs_of(rows["second"]) == [(64, 32, "float")]


def test_a_subclassed_model_shows_its_weights() -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="net")
            self.dense = layers.QuantDense(4, name="dense", **BINARY)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Net()
    model(keras.ops.zeros((1, 6)))
    (row,) = models.profile(model).layers
    assert (row.weights, row.macs, row.output_shape) == ((models.WeightProfile("kernel", 24, 1, True),), None, ())
    assert "?" in models.profile(model).tables()[0]


@pytest.mark.parametrize(
    "build", [zoo.digits_mlp, zoo.digits_cnn, zoo.cnv, small_net], ids=lambda build: build.__name__
)
def test_types_are_those_of_the_compiler(build: Callable[[], Any]) -> None:
    model = build()
    graph = convert(model).graph
    dots = {op.layer: op for op in graph.ops if isinstance(op, MatVec | Conv2D)}
    rows = [row for row in models.profile(model).layers if row.macs]
    assert [row.name for row in rows] == list(dots)
    for row in rows:
        op = dots[row.name]
        expected = graph.types[op.inputs[0]].dtype, op.weight_dtype, graph.types[op.outputs[0]].dtype
        assert (row.input_type, row.weight_type, row.accumulator_type) == tuple(map(str, expected)), row.name


def test_cycles_come_from_the_compiler() -> None:
    model = zoo.digits_cnn()
    found = models.profile(model, board="pynq-z2", target_fps=50_000)
    accelerator = compile(model, "pynq-z2", target_fps=50_000, golden_frames=1)
    limit = accelerator.schedule.limit
    assert found.board is not None
    assert (found.board.board, found.board.clock_mhz) == ("pynq-z2", accelerator.clock_mhz)
    assert found.board.interval_cycles == accelerator.interval_cycles
    assert (found.board.limiting_layer, found.board.limiting_stage) == (limit.layer, limit.stage)
    assert found.board.frames_per_s == accelerator.frames_per_s >= 50_000
    for row in found.layers:
        own = [stage.cycles for stage in accelerator.stages() if stage.layer == row.name]
        assert row.cycles == (max(own) if own else None), row.name
    table, box = found.tables()[2:]
    assert table.splitlines()[1].split()[-2] == "Cycles"
    assert f"| Limiting layer       {limit.layer} ({limit.stage})" in box
    assert f"| Cycles a frame       {accelerator.interval_cycles}" in box


def test_the_same_as_data() -> None:
    data = json.loads(json.dumps(models.profile(small_net()).to_dict()))
    assert data["totals"] == {
        "weights": 2444,
        "trainable_weights": 2396,
        "memory_bits": 5080,
        "memory_bits_with_8_bit_floats": 3832,
        "activation_bits": 3424,
        "macs": 88576,
        "macs_by_kind": {"binary": 73728, "ternary": 1024, "k-bit": 13824, "float": 0},
        "macs_by_bits": {"1": 73728, "2": 1024, "8": 13824},
    }
    assert (data["name"], data["board"], len(data["layers"])) == ("net", None, 8)
    assert data["layers"][0] == {
        "name": "conv1",
        "kind": "QuantConv2D",
        "output_shape": [[-1, 8, 8, 8]],
        "input_precision": 8,
        "weights": [{"name": "kernel", "count": 216, "bits": 1, "trainable": True}],
        "macs": [{"count": 13824, "bits": 8, "kind": "k-bit"}],
        "input_type": "u8",
        "weight_type": "b1",
        "accumulator_type": "i14",
        "activation_bits": 2400,
        "cycles": None,
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: models.summary(keras.Sequential([keras.layers.Dense(3)], name="open")),
            r"^open: the model is not built, its shapes are unknown; start it with keras\.Input\(shape\)",
            id="not-built",
        ),
        pytest.param(
            lambda: models.summary(small_net(), target_fps=100),
            r"^summary: target_fps=100 without a board; give board='pynq-z2'",
            id="no-board",
        ),
        pytest.param(lambda: models.summary(small_net(), board="zx81"), r"zx81", id="unknown-board"),
        pytest.param(
            lambda: models.summary(nested(), board="pynq-z2"),
            r"^deep: the model calls two layers of this name",
            id="not-compilable",
        ),
    ],
)
def test_errors_are_one_sentence(call: Callable[[], None], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(QnnError, match=message):
        call()
    assert capsys.readouterr().out == "", "nothing is printed before an error"


def test_not_built_is_a_value_error_as_in_larq() -> None:
    with pytest.raises(ValueError, match="not built"):
        models.summary(keras.Sequential([keras.layers.Dense(3)]))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (999.4, "999"), (999_900, "1 M"), (93_556, "93.6 k"), (32_000, "32 k"),
     (1.8789e9, "1.88 B"), (3e12, "3 T"), (2e15, "2.00E+15")],
)  # fmt: skip
def test_readable_numbers(number: float, text: str) -> None:
    assert models._readable(number) == text


def test_printing_goes_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    models.summary(small_net())
    assert capsys.readouterr().out == TABLES
