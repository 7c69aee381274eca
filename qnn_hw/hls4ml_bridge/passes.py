# SPDX-License-Identifier: Apache-2.0
"""Graph passes: sums get their width, quantizers become thresholds, and the floats between the two vanish.

The first ones run right after parsing (flow `parse_qonnx`, which every conversion starts with), before any pass of
hls4ml fuses a BatchNormalization. The last one runs when hls4ml has settled all types (`vivado:init_layers`, part of
the flows of Vivado, Vitis and VivadoAccelerator). A pass touches our own nodes and what stands between two of them.
"""

from typing import Any

import numpy as np
from hls4ml.backends import get_backend
from hls4ml.model.layers import Activation, Input, Pooling2D, Reshape
from hls4ml.model.optimizer import OptimizerPass, get_backend_passes
from hls4ml.model.types import (
    FixedPrecisionType,
    IntegerPrecisionType,
    UnspecifiedPrecisionType,
    XnorPrecisionType,
)

from qnn_hw.errors import QnnError
from qnn_hw.hls4ml_bridge import BACKENDS
from qnn_hw.hls4ml_bridge.handlers import geometry
from qnn_hw.hls4ml_bridge.nodes import DOTS, QnnPool, QnnQuantizer, QnnThreshold, fitting_integer

_SCALE_BITS = 18
"""Of a scale behind sums, the sign among them: the narrower input of a DSP slice."""

_SCALED_BITS = 10
"""By how many bits a scaled sum is finer than the step of the sum."""


def register_passes() -> None:
    """Register the passes once."""
    vivado = get_backend("Vivado")
    for name, cls, flow in (
        ("qnn_backends", Backends, "parse_qonnx"),
        ("qnn_quantizing_activations", QuantizingActivations, "parse_qonnx"),
        ("qnn_pools_of_codes", PoolsOfCodes, "parse_qonnx"),
        ("qnn_accumulators", Accumulators, "parse_qonnx"),
        ("qnn_fused_thresholds", FusedThresholds, "parse_qonnx"),
        ("qnn_value_thresholds", ValueThresholds, "vivado:init_layers"),
    ):
        if f"vivado:{name}" not in get_backend_passes("Vivado"):
            vivado.register_pass(name, cls, flow=flow)


class Backends(OptimizerPass):
    """Refuse backends without our templates: hls4ml would leave the calls out and compile what is left.

    Requires: the graph as parsed. Ensures: our nodes go to a backend that can print them.
    """

    def match(self, node: Any) -> bool:
        """A node of ours for a backend that has no template of it."""
        return node.class_name in (*DOTS, "QnnQuantizer") and node.model.config.backend.name not in BACKENDS

    def transform(self, model: Any, node: Any) -> bool:
        """Refuse.

        Raises:
            QnnError: always.
        """
        raise QnnError(
            f"{node.get_attr('keras_layer')}: the hls4ml bridge has no templates for the backend "
            f"{model.config.backend.name}; use {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}"
        )


class QuantizingActivations(OptimizerPass):
    """Make `Activation("ste_sign")` a quantizer: hls4ml knows it by name only and would print a call to nothing.

    Requires: the graph as parsed. Ensures: no Activation node stands for one of our quantizers.
    """

    def match(self, node: Any) -> bool:
        """An activation that hls4ml does not know and whose Keras layer states codes."""
        if not isinstance(node, Activation):
            return False
        layers = getattr(_keras_model(node.model), "layers", ())
        functions = [getattr(layer, "activation", None) for layer in layers if layer.name == node.name]
        # Only functions of ours are asked, so that other models do not import TensorFlow here.
        if not any(str(getattr(function, "__module__", "")).startswith("qnn_hw.") for function in functions):
            return False
        from qnn_hw.frontends.keras.operations import code_type_of

        return any(code_type_of(function) is not None for function in functions)

    def transform(self, model: Any, node: Any) -> bool:
        """Replace the node."""
        attributes = {"keras_layer": node.name, "part": "layer"}
        model.replace_node(node, model.make_node(QnnQuantizer, node.name, attributes, node.inputs.copy()))
        return True


class PoolsOfCodes(OptimizerPass):
    """Pool codes with our node: hls4ml's takes them through its accumulator type, and strides like the window only.

    Requires: the graph as parsed. Ensures: between a quantizer or an input and our sums, max pools are ours.
    """

    def match(self, node: Any) -> bool:
        """A max pool whose result only our sums read."""
        return _is_max_pool(node) and _only_dots_read(node)

    def transform(self, model: Any, node: Any) -> bool:
        """Replace the node."""
        shape = node.get_input_variable().shape
        attributes = {
            "complement_data": np.zeros(shape[-1], np.bool_),
            "flip": 0,
            "out_precision": node.get_input_variable().type.precision,
            **{name: node.get_attr(name) for name in geometry((0,) * 3, (0,) * 2, (0, 0), (0, 0), (0,) * 4)},
            "filt_height": node.get_attr("pool_height"),
            "filt_width": node.get_attr("pool_width"),
            "n_chan": int(shape[-1]),
        }
        model.replace_node(node, model.make_node(QnnPool, node.name, attributes, node.inputs.copy()))
        return True


class Accumulators(OptimizerPass):
    """Give sums the width they need.

    Requires: the graph as parsed. Ensures: the output type of a sum holds every value it can take and means what Keras
    delivers, with a scale behind it where no fixed-point type can; a sum over raw inputs has an input type for which it
    is exact.
    """

    def match(self, node: Any) -> bool:
        """A sum that this pass has not seen."""
        return node.class_name in DOTS and not node.get_attr("settled", False)

    def transform(self, model: Any, node: Any) -> bool:
        """Set the types of input and output."""
        from qnn_hw.hls4ml_bridge.chains import dot_stage, operand_scale, raw_source

        keras_model, name = _keras_model(model), node.get_attr("keras_layer")
        raw = _raw_input(node) if raw_source(keras_model, name) else None
        scale = operand_scale(keras_model, name, raw)
        stage = dot_stage(keras_model, name, raw)
        precision = fitting_integer(np.array([stage.reach.first, stage.reach.last]))
        fraction_bits = -np.log2(scale)
        if fraction_bits and fraction_bits.is_integer():
            precision = FixedPrecisionType(precision.width, precision.width - int(fraction_bits), True)
        node.set_attr("acc_width", precision.width)
        node.set_attr("pad_code", stage.pad_value)
        node.get_output_variable().type.precision = precision
        node.set_attr("settled", True)
        if not fraction_bits.is_integer():
            _insert_scale(model, node, scale, precision.width)
        return False


class FusedThresholds(OptimizerPass):
    """Make a quantizer behind one of our sums a threshold on these sums.

    Requires: settled sums. Ensures: scale, bias, BatchNormalization, activation and pools between the sum and the
    quantizer are gone unless something else reads them.
    """

    def match(self, node: Any) -> bool:
        """A quantizer that sees the sums of one of our layers through elementwise operations and pools."""
        if not isinstance(node, QnnQuantizer) or _keras_model(node.model) is None:
            return False
        source = _source(node)
        return source is not None and bool(source.get_attr("settled", False))

    def transform(self, model: Any, node: Any) -> bool:
        """Replace the node and what stands between."""
        from qnn_hw.hls4ml_bridge.chains import fused_quantizer, raw_source

        source = _source(node)
        keras_model, dot = _keras_model(model), source.get_attr("keras_layer")
        raw = _raw_input(source) if raw_source(keras_model, dot) else None
        found = fused_quantizer(keras_model, node.get_attr("keras_layer"), node.get_attr("part"), raw)
        between = _nodes_between(source, node)
        node.inputs[0] = source.outputs[0]
        for unread in between:
            if unread.get_output_nodes() or unread.outputs[0] in model.outputs:
                break
            del model.output_vars[unread.outputs[0]]
            del model.graph[unread.name]
        _replace(model, node, found)
        return True


class ValueThresholds(OptimizerPass):
    """Make a quantizer behind ordinary hls4ml nodes a threshold on their fixed-point values.

    Requires: all types settled. Ensures: no quantizer is left.
    """

    def match(self, node: Any) -> bool:
        """Every quantizer that the other pass left."""
        return isinstance(node, QnnQuantizer)

    def transform(self, model: Any, node: Any) -> bool:
        """Replace the node."""
        from qnn_hw.hls4ml_bridge.chains import value_quantizer

        keras_model = _keras_model(model)
        if keras_model is None:
            raise QnnError(f"{node.name}: the Keras model is gone; convert with hls4ml's convert_from_keras_model")
        name = node.get_attr("keras_layer")
        raw = _raw_type(name, node.get_input_variable().type.precision)
        _replace(model, node, value_quantizer(keras_model, name, node.get_attr("part"), raw))
        return True


def _insert_scale(model: Any, node: Any, scale: float, acc_width: int) -> None:
    """Multiply a sum by a scale that is no power of two, for everything that reads it.

    A quantizer of ours that does so takes this node away again when it is fused.
    """
    shape = node.get_output_variable().shape
    attributes = {
        "n_in": int(np.prod(shape)),
        "n_filt": int(shape[-1]) if len(shape) > 1 else -1,
        "scale_data": np.full(int(shape[-1]), scale),
        "bias_data": np.zeros(int(shape[-1])),
    }
    name, sums = f"{node.name}_input_scale", node.outputs[0]
    exponent = int(np.floor(np.log2(scale)))
    precision = {
        "scale": f"fixed<{_SCALE_BITS},{exponent + 2}>",
        "result": f"fixed<{acc_width + 1 + _SCALED_BITS},{acc_width + exponent + 1}>",
    }
    # Types by the node's name: without one it would share, and change, the type `model_default_t`.
    model.config.parse_name_config(name, {"Precision": precision})
    made = model.make_node("BatchNormalization", name, attributes, [sums])
    readers = node.get_output_nodes()
    if readers:
        model.insert_node(made, before=readers[0], input_idx=readers[0].inputs.index(sums))
    else:
        model.insert_node(made)
    for reader in readers:
        reader.inputs = [made.outputs[0] if one == sums else one for one in reader.inputs]
    model.outputs = [made.outputs[0] if one == sums else one for one in model.outputs]


def _keras_model(model: Any) -> Any:
    return model.config.get_config_value("KerasModel")


def _source(node: Any) -> Any:
    """Return the sum whose values a quantizer sees, or None."""
    from qnn_hw.hls4ml_bridge.chains import fused_source

    name = fused_source(_keras_model(node.model), node.get_attr("keras_layer"), node.get_attr("part"))
    sums = [n for n in node.model.graph.values() if n.class_name in DOTS and n.get_attr("keras_layer") == name]
    return sums[0] if sums else None


def _nodes_between(source: Any, node: Any) -> list[Any]:
    """Return the nodes from `node` back to `source`, both left out, the nearest to `node` first."""
    found = []
    current = node.get_input_node()
    while current is not source:
        found.append(current)
        current = current.get_input_node()
    return found


def _moves(node: Any) -> bool:
    """Tell whether a node hands on codes as they are."""
    linear = isinstance(node, Activation) and node.get_attr("activation") == "linear"
    return linear or isinstance(node, (Reshape, QnnPool))


def _only_dots_read(node: Any) -> bool:
    """Tell whether all that reads a node, through moves and max pools, are our sums."""
    readers = node.get_output_nodes()
    if not readers or any(output in node.model.outputs for output in node.outputs):
        return False
    return all(
        reader.class_name in DOTS or ((_moves(reader) or _is_max_pool(reader)) and _only_dots_read(reader))
        for reader in readers
    )


def _is_max_pool(node: Any) -> bool:
    return isinstance(node, Pooling2D) and node.get_attr("pool_op") == "Max"


def _hand_on(node: Any) -> None:
    """Give the moves behind a node its type."""
    precision = node.get_output_variable().type.precision
    for reader in node.get_output_nodes():
        if _moves(reader):
            reader.get_output_variable().type.precision = precision
            _hand_on(reader)


def _raw_input(node: Any) -> Any:
    """Settle the type of the model input that a sum reads, and return it."""
    from qnn_hw.hls4ml_bridge.chains import RAW_BITS
    from qnn_hw.hls4ml_bridge.upstream import declared_dtype

    name = node.get_attr("keras_layer")
    origin = node.get_input_node()
    while not isinstance(origin, Input):
        if not _moves(origin):
            raise QnnError(f"{name}: {origin.name} stands between it and the raw input; give it an input_quantizer")
        origin = origin.get_input_node()
    variable = origin.get_output_variable()
    stated = _stated_input(origin)
    declared = declared_dtype(_keras_model(node.model), origin.name)
    if not stated and declared.removeprefix("u").startswith("int"):
        unsigned = declared.startswith("u")
        variable.type.precision = IntegerPrecisionType(int(declared.removeprefix("u")[3:]), signed=not unsigned)
    elif not stated:
        raise QnnError(
            f"{name}: it reads the model input '{origin.name}', whose precision is not stated; give the integer type "
            f"of the samples, for example hls_config['LayerName']['{origin.name}'] = {{'Precision': 'uint<8>'}}, or "
            "keras.Input(dtype='uint8')"
        )
    _hand_on(origin)
    raw = _raw_type(name, variable.type.precision)
    if raw.bits > RAW_BITS:
        raise QnnError(
            f"{name}: its input '{origin.name}' has the precision {variable.type.precision}; give it one of at most "
            f"{RAW_BITS} bits, for example 'uint<8>'"
        )
    return raw


def _stated_input(origin: Any) -> bool:
    """Tell whether the configuration gives an input a precision of its own."""
    if isinstance(origin.get_output_variable().type.precision, UnspecifiedPrecisionType):
        return False
    config = origin.model.config
    names = [f"{origin.name.lower()}_{kind}" for kind in ("result", "default")]
    types = [f"{origin.class_name.lower()}_{kind}" for kind in ("result", "default")]
    by_name = any(config.layer_name_precision.get(name) is not None for name in names)
    return by_name or any(config.layer_type_precision.get(name) is not None for name in types)


def _raw_type(name: str, precision: Any) -> Any:
    from qnn_hw.hls4ml_bridge.chains import Raw

    if isinstance(precision, (IntegerPrecisionType, FixedPrecisionType)):
        return Raw(precision.width, bool(precision.signed), precision.width - precision.integer)
    raise QnnError(f"{name}: its input has the precision {precision}; give it an integer or fixed-point type")


def _replace(model: Any, node: Any, found: Any) -> None:
    """Put pools, threshold and pools in place of a quantizer; the last one takes its name, and its readers."""
    only_dots = _only_dots_read(node)
    precision, low, step = _output(node, found, only_dots)
    rank = len(node.get_input_variable().shape)
    chain: list[tuple[type, str, dict[str, Any]]] = []
    before = node.get_input_variable().type.precision
    for pool in found.pools_before:
        chain.append((QnnPool, f"{node.name}_{pool.stage.layer}", {"pool": pool, "out_precision": before, "flip": 0}))
    chain.append(
        (
            QnnThreshold,
            f"{node.name}_threshold",
            {
                "threshold_data": found.thresholds,
                "falling_data": found.falling,
                "low": low,
                "step": step,
                "out_precision": precision,
            },
        )
    )
    flip = 2 * low + step * found.thresholds.shape[1]
    for pool in found.pools_after:
        attributes = {"pool": pool, "out_precision": precision, "flip": flip}
        chain.append((QnnPool, f"{node.name}_{pool.stage.layer}", attributes))
    shape = [int(size) for size in node.get_output_variable().shape]
    if rank > 1 and len(shape) == 1:
        chain.append((Reshape, f"{node.name}_flatten", {"target_shape": shape}))
    for i, (kind, name, attributes) in enumerate(chain):
        last = i == len(chain) - 1
        if "pool" in attributes:
            attributes.update(_pool_attributes(node, attributes.pop("pool")))
        made = model.make_node(kind, node.name if last else name, attributes, node.inputs.copy())
        if kind is Reshape:
            made.get_output_variable().type.precision = precision
        if last:
            model.replace_node(node, made)
            _hand_on(made)
        else:
            model.insert_node(made, before=node)


def _output(node: Any, found: Any, only_dots: bool) -> tuple[Any, int, int]:
    """Return type, smallest code and step of what a threshold delivers.

    Bits (0 = -1) where only our sums read them; otherwise numbers that mean what Keras delivers.
    """
    code = found.code
    if code.bipolar and only_dots:
        return XnorPrecisionType(), 0, 1
    fraction_bits = -int(np.log2(code.scale)) if float(np.log2(code.scale)).is_integer() else None
    if fraction_bits is None and not only_dots:
        raise QnnError(
            f"{node.get_attr('keras_layer')}: its quantizer delivers multiples of {code.scale:g}, which no fixed-point "
            "type holds, to a layer that is not QuantDense or QuantConv2D; use one whose scale is a power of two"
        )
    width, signed = (2, True) if code.bipolar else (max(code.bits, 1), code.signed)
    low, step = (-1, 2) if code.bipolar else (found.low, 1)
    if only_dots or fraction_bits == 0:
        return IntegerPrecisionType(width, signed=signed), low, step
    return FixedPrecisionType(width, width - int(fraction_bits or 0), signed), low, step


def _pool_attributes(node: Any, pool: Any) -> dict[str, Any]:
    """Return a pool's geometry on the map that the quantizer node reads at the moment."""
    shape = [int(size) for size in node.get_input_variable().shape]
    stage = pool.stage
    top, bottom, left, right = stage.padding
    rows = (shape[0] + top + bottom - stage.size[0]) // stage.strides[0] + 1
    columns = (shape[1] + left + right - stage.size[1]) // stage.strides[1] + 1
    return {
        "complement_data": pool.complement,
        **geometry(shape, (rows, columns), stage.size, stage.strides, stage.padding),
    }
