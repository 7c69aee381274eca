# SPDX-License-Identifier: Apache-2.0
"""Keras -> graph: every accumulator, code and decision equals what the Keras layers compute."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qnn_hw.frontends.keras import HOST_QUANTIZER, convert, disagreements, predict, prepare
from qnn_hw.ir.ops.max_pool import MaxPool
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.text import parse_graph, print_graph
from qnn_hw.layers import QuantConv2D, QuantDense
from qnn_hw.quantizers import DoReFa, FixedPoint, SteSign
from tests.frontends.nets import BINARY, WEIGHTS_ONLY, check, disturb

BN = keras.layers.BatchNormalization


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)


def test_text_of_a_tiny_net() -> None:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Rescaling(1 / 127.5, -1, name="scale"),
            QuantDense(2, **WEIGHTS_ONLY, name="fc1"),
            BN(name="bn1"),
            QuantDense(2, **BINARY, name="fc-2"),
            keras.layers.Softmax(),
        ],
        name="tiny",
    )
    model.get_layer("fc1").set_weights([np.array([[1, -1], [1, 1], [-1, 1]], np.float32)])
    model.get_layer("fc-2").set_weights([np.array([[1, -1], [1, 1]], np.float32)])
    gamma, beta, mean, variance = [1, -1], [0, 0.5], [0.5, 0], [1, 1]
    model.get_layer("bn1").set_weights([np.array(p, np.float32) for p in (gamma, beta, mean, variance)])
    converted = convert(model)
    assert print_graph(converted.graph) == (
        "graph tiny\n"
        "input %input : u8[3]\n"
        '%input_map = affine(%input) {name="input_map", layer="scale", scale=2, offset=-255} : i9[3]\n'
        '%fc1_acc = matvec(%input_map) {name="fc1", layer="fc1", weights=@fc1.weights, weight_dtype=b1, domain=dot, '
        'pe=0, simd=0, weight_memory="auto"} : i11[2]\n'
        '%fc1 = threshold(%fc1_acc) {name="fc1_threshold", layer="fc1", thresholds=@fc1.thresholds, '
        "falling=@fc1.falling, dtype=b1, base=0, pe=0} : b1[2]\n"
        '%fc_2_acc = matvec(%fc1) {name="fc_2", layer="fc-2", weights=@fc_2.weights, weight_dtype=b1, domain=dot, '
        'pe=0, simd=0, weight_memory="auto"} : i3[2]\n'
        '%class_index = classifier(%fc_2_acc) {name="classifier", layer="fc-2", slopes=@fc_2.slopes, '
        "biases=@fc_2.biases, ranks=@, first=0, pe=0} : u32[1]\n"
        "output %class_index\n"
    )
    constants = {name: value.tolist() for name, value in converted.graph.constants.items()}
    # 0.5 lies at accumulator 127.5; for the falling channel -x / sqrt(1.001) + 0.5 < 0 from 128 on (255 * 0.50025).
    assert constants == {
        "fc1.weights": [[1, 1, -1], [-1, 1, 1]],
        "fc1.thresholds": [[128], [128]],
        "fc1.falling": [0, 1],
        "fc_2.weights": [[1, 1], [-1, 1]],
        "fc_2.slopes": [1, 1],
        "fc_2.biases": [0, 0],
    }
    again = parse_graph(print_graph(converted.graph), converted.graph.constants)
    assert again == converted.graph
    check(model, converted)


def _dense_net(draw: Any) -> Any:
    layers: list[Any] = [keras.Input((draw(st.integers(3, 20)),), dtype="uint8")]
    options = dict(WEIGHTS_ONLY)
    quantizer = draw(st.sampled_from(["sign", "fixed", "unsigned", "dorefa"]))
    for _ in range(draw(st.integers(1, 2))):
        layers.append(QuantDense(draw(st.integers(1, 9)), **{**options, "use_bias": draw(st.booleans())}))
        layers += [BN()] * draw(st.integers(0, 1))
        activation = draw(st.sampled_from([None, "relu", "hard_tanh", "leaky_relu", "tanh"]))
        layers += [keras.layers.Activation(activation)] if activation else []
        options["input_quantizer"] = {
            "sign": SteSign(),
            "fixed": FixedPoint(3, 1),
            "unsigned": FixedPoint(2, 0, signed=False),
            "dorefa": DoReFa(2),
        }[quantizer]
    layers.append(QuantDense(draw(st.integers(2, 5)), **{**options, "use_bias": draw(st.booleans())}))
    layers += [BN()] * draw(st.integers(0, 1))
    return keras.Sequential(layers)


def _conv_net(draw: Any) -> Any:
    size, channels = draw(st.integers(6, 9)), draw(st.integers(1, 3))
    kernel = draw(st.sampled_from([1, 2, 3, (2, 3)]))
    layers: list[Any] = [
        keras.Input((size, size + 1, channels)),
        keras.layers.Rescaling(1 / 128, -1),
        QuantConv2D(draw(st.integers(1, 5)), kernel, strides=draw(st.integers(1, 2)), padding="same", **WEIGHTS_ONLY),
    ]
    order = draw(st.sampled_from(["pool-bn", "bn-pool", "bn", "bn-pool-bn", "bn-pool-bn-pool", "pool", "bn-relu-pool"]))
    for step in order.split("-"):
        padding = draw(st.sampled_from(["same", "valid"]))
        pool = keras.layers.MaxPooling2D(2, strides=draw(st.integers(1, 2)), padding=padding)
        layers.append({"pool": pool, "bn": BN(), "relu": keras.layers.ReLU()}[step])
    layers.append(
        QuantConv2D(
            draw(st.integers(1, 4)),
            draw(st.integers(1, 3)),
            padding="same",
            pad_values=draw(st.sampled_from([-1.0, 0.0, 1.0])),
            **BINARY,
        )
    )
    late = draw(st.sampled_from(["bn-flatten", "flatten", "sign-pool-flatten", "bn-sign-pool-bn-flatten"]))
    for step in late.split("-"):
        pool = keras.layers.MaxPooling2D(2, padding="same")
        layers.append({"pool": pool, "bn": BN(), "flatten": keras.layers.Flatten(), "sign": SteSign()}[step])
    layers += [QuantDense(3, **BINARY), BN()]
    return keras.Sequential(layers)


@pytest.mark.parametrize("kind", [_dense_net, _conv_net], ids=["dense", "conv"])
def test_random_nets_equal_keras(kind: Any) -> None:
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # a smaller net is not worth minutes of TensorFlow
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        keras.utils.clear_session()
        keras.utils.set_random_seed(data.draw(st.integers(0, 99)))
        model = disturb(kind(data.draw), data.draw(st.integers(0, 99)))
        converted = convert(model)
        check(model, converted)

    run()


def _deep_net(pool: tuple[Any, ...]) -> Any:
    first = [keras.Input((6, 6, 2)), keras.layers.Rescaling(1 / 256)]
    conv = QuantConv2D(12, 3, padding="same", **WEIGHTS_ONLY, name="conv")
    return keras.Sequential([*first, conv, *pool, keras.layers.Flatten(), QuantDense(4, **BINARY)])


POOLS = {
    "bn-pool": lambda: (BN(), keras.layers.MaxPooling2D()),
    "pool-bn": lambda: (keras.layers.MaxPooling2D(), BN()),
    "bn-pool-bn": lambda: (BN(), keras.layers.MaxPooling2D(), BN()),
    "bn-pool-bn-pool-bn": lambda: (BN(), keras.layers.MaxPooling2D(), BN(), keras.layers.MaxPooling2D(), BN()),
    "bn-pool-fixed": lambda: (BN(), keras.layers.MaxPooling2D(3, 1, "same"), BN(), FixedPoint(3, 1)),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", POOLS)
def test_pool_within_a_chain(case: str, seed: int) -> None:
    layers = POOLS[case]()
    model = _deep_net(layers)
    disturb(model, seed)
    converted = convert(model)
    check(model, converted)
    ops = [op for op in converted.graph.ops if isinstance(op, (MaxPool, Threshold))]
    expected = [MaxPool, Threshold] if case == "pool-bn" else [Threshold, *[MaxPool] * case.count("pool")]
    assert [type(op) for op in ops] == expected
    if "pool-bn" in case and case != "pool-bn":
        assert any(op.complement for op in ops if isinstance(op, MaxPool)), "negative gammas need a minimum"


@pytest.mark.parametrize("seed", range(2))
def test_powers_of_two_give_the_same_floats(seed: int) -> None:
    model = keras.Sequential(
        [
            keras.Input((7, 7, 2)),
            keras.layers.Rescaling(1 / 64, -2),
            QuantConv2D(6, 3, padding="same", kernel_quantizer=FixedPoint(3, 2), pad_values=1.0),
            BN(),
            keras.layers.MaxPooling2D(),
            QuantConv2D(5, 2, input_quantizer=FixedPoint(4, 2), kernel_quantizer="ste_sign", activation="relu"),
            keras.layers.Flatten(),
            QuantDense(4, input_quantizer=FixedPoint(3, 3, signed=False), kernel_quantizer=FixedPoint(4, 3)),
        ]
    )
    disturb(model, seed)
    converted = convert(model)
    check(model, converted)
    x = np.random.default_rng(1).integers(0, 256, (50, 7, 7, 2))
    np.testing.assert_array_equal(predict(model, x), predict(converted.prepared.model, x))
    assert disagreements(model, converted.prepared, x) == 0
    assert converted.notes == ()


def test_samples_quantized_in_front_become_codes_on_the_host() -> None:
    model = keras.Sequential([keras.Input((4, 4, 3), dtype="uint8"), BN(), QuantConv2D(4, 2, **BINARY), BN()])
    model.add(keras.layers.Flatten())
    model.add(QuantDense(3, **BINARY))
    disturb(model, 5)
    converted = convert(model)
    first = converted.graph.ops[0]
    assert (first.name, str(converted.graph.types[first.outputs[0]])) == (HOST_QUANTIZER, "b1[4,4,3]")
    check(model, converted)


def test_host_quantizer_without_channels_has_one_row() -> None:
    model = keras.Sequential(
        [keras.Input((5, 5, 1)), keras.layers.Rescaling(1 / 255, -0.5), keras.layers.Flatten(), QuantDense(3, **BINARY)]
    )
    converted = convert(model)
    first = converted.graph.ops[0]
    assert first.name == HOST_QUANTIZER
    assert converted.graph.constants[f"{HOST_QUANTIZER}.thresholds"].tolist() == [[128]]
    check(model, converted)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "u5", "i5", "b1", "u1", "i12"])
def test_input_types(dtype: str) -> None:
    model = keras.Sequential([keras.Input((6,)), QuantDense(5, **WEIGHTS_ONLY), BN(), QuantDense(3, **BINARY)])
    disturb(model, 1)
    converted = convert(model, input_dtype=dtype)
    check(model, converted)


def test_scaling_outside_of_the_model() -> None:
    model = keras.Sequential([keras.Input((6,)), QuantDense(5, **WEIGHTS_ONLY), BN(), QuantDense(3, **BINARY)])
    disturb(model, 1)
    converted = convert(model, input_dtype="uint8", input_scale=1 / 127.5, input_offset=-1.0)
    assert converted.prepared.affine == (2, -255)
    x = np.random.default_rng(0).integers(0, 256, (300, 6))
    assert disagreements(model, converted.prepared, x) <= 3
    reference = np.argmax(predict(converted.prepared.model, x), axis=1)
    scaled = np.argmax(predict(model, (x / 127.5 - 1).astype(np.float32)), axis=1)
    assert (reference != scaled).mean() < 0.02


def test_convolution_as_the_last_layer() -> None:
    model = keras.Sequential(
        [keras.Input((3, 3, 2)), QuantConv2D(4, 2, **WEIGHTS_ONLY), BN(), QuantConv2D(5, 2, **BINARY)]
    )
    disturb(model, 0)
    check(model, convert(model, input_dtype="uint8"))


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_integer_weights_without_a_quantizer(scale: float) -> None:
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="uint8"),
            keras.layers.Dense(5, name="fc1"),
            keras.layers.ReLU(),
            FixedPoint(4, -4, signed=False),
            keras.layers.Dense(3, use_bias=False),
        ]
    )
    rng = np.random.default_rng(0)
    model.layers[0].set_weights([rng.integers(-8, 8, (6, 5)) * scale, rng.normal(size=5)])
    model.layers[-1].set_weights([rng.choice([-scale, scale], (5, 3))])
    converted = convert(model)
    kinds = [str(op.weight_dtype) for op in converted.graph.ops if hasattr(op, "weight_dtype")]
    assert kinds == ["i4", "b1"]
    check(model, converted)


def test_weight_levels_without_a_zero() -> None:
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="uint8"),
            QuantDense(5, kernel_quantizer=DoReFa(2, "weights"), name="fc1"),
            QuantDense(4, input_quantizer=DoReFa(2), kernel_quantizer=DoReFa(1, "weights")),
        ]
    )
    disturb(model, 0)
    converted = convert(model)
    assert set(np.unique(converted.graph.constants["fc1.weights"])) <= {-3, -1, 1, 3}
    check(model, converted)


def test_nested_and_functional_models() -> None:
    inner = keras.Sequential([keras.Input((8,)), QuantDense(7, **BINARY, name="inner"), BN()], name="block")
    x = keras.Input((6,), dtype="int8")
    y = keras.layers.Dropout(0.5)(QuantDense(8, **WEIGHTS_ONLY, name="outer")(x))
    model = keras.Model(x, QuantDense(3, **BINARY, name="last")(inner(y)))
    converted = convert(model)
    assert [op.layer for op in converted.graph.ops] == ["outer", "outer", "inner", "inner", "last", "last"]
    raw = np.random.default_rng(0).integers(-128, 128, (50, 6))
    np.testing.assert_array_equal(predict(model, raw), predict(converted.prepared.model, raw))


def test_a_prepared_model_is_its_own_prepared_model(tmp_path: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Rescaling(1 / 127.5, -1),
            QuantConv2D(4, 3, padding="same", pad_values=1.0, **WEIGHTS_ONLY),
            BN(),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            QuantDense(5, **{**BINARY, "use_bias": True, "input_quantizer": DoReFa(2)}, activation="relu"),
            QuantDense(3, **{**BINARY, "input_quantizer": FixedPoint(4, 1)}),
        ]
    )
    disturb(model, 3)
    first = convert(model)
    first.prepared.model.save(tmp_path / "prepared.keras")
    from qnn_hw.frontends.keras import load_model

    second = convert(load_model(tmp_path / "prepared.keras"))
    assert second.graph.constants_equal(first.graph)
    assert [type(op) for op in second.graph.ops] == [type(op) for op in first.graph.ops]
    x = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1))
    np.testing.assert_array_equal(predict(first.prepared.model, x), predict(second.prepared.model, x))


def test_many_accumulators_are_bisected() -> None:
    model = keras.Sequential(
        [
            keras.Input((400,)),
            keras.layers.Rescaling(1 / 255),
            QuantDense(8, **WEIGHTS_ONLY),
            BN(),
            QuantDense(3, **BINARY),
        ]
    )
    disturb(model, 2)
    converted = convert(model)
    assert converted.graph.types["quant_dense_acc"].dtype.bits == 18
    check(model, converted, n=200)


def test_batch_size_does_not_matter() -> None:
    model = keras.Sequential(
        [keras.Input((33,), dtype="uint8"), QuantDense(9, **WEIGHTS_ONLY), BN(), QuantDense(3, **BINARY)]
    )
    disturb(model, 0)
    prepared = prepare(model)
    x = np.random.default_rng(0).integers(0, 256, (70, 33))
    np.testing.assert_array_equal(predict(prepared.model, x, 7), predict(prepared.model, x, 64))
