# SPDX-License-Identifier: Apache-2.0
"""Our Keras layers as the dictionaries from which hls4ml makes nodes.

hls4ml registers a handler when its class is created; the functions here run when a model is converted.
"""

from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from hls4ml.converters.keras_v3._base import KerasV3LayerHandler

from qnn_hw.errors import QnnError
from qnn_hw.hls4ml_bridge.nodes import pack_weights

_QUANTIZERS = (
    *("ApproxSign", "DoReFa", "FixedPoint", "MagnitudeAwareSign", "NoOp"),
    *("SteHeaviside", "SteSign", "SteTern", "SwishSign"),
)
_UNSUPPORTED = (
    *("QuantConv1D", "QuantConv2DTranspose", "QuantConv3D", "QuantConv3DTranspose", "QuantDepthwiseConv2D"),
    *("QuantLocallyConnected1D", "QuantLocallyConnected2D", "QuantSeparableConv1D", "QuantSeparableConv2D"),
)

Config = dict[str, Any]


class _Chained(KerasV3LayerHandler):
    """A layer that becomes several nodes in a row."""

    handles: ClassVar[tuple[str, ...]] = ()

    def chained(self, in_tensors: Any, out_tensors: Any, nodes: list[Config]) -> tuple[Config, ...]:
        """Connect nodes from the layer's input tensor to its output tensor."""
        names = [in_tensors[0].name, *(f"{out_tensors[0].name}_{i}" for i in range(1, len(nodes))), out_tensors[0].name]
        for node, before, after in zip(nodes, names[:-1], names[1:], strict=True):
            node["input_keras_tensor_names"], node["output_keras_tensor_names"] = [before], [after]
        return tuple(nodes)


class QuantizerHandler(_Chained):
    """Quantizers that stand alone."""

    handles = tuple(f"qnn_hw.quantizers.{name}" for name in _QUANTIZERS)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[Config, ...]:
        """One quantizer."""
        return self.chained(in_tensors, out_tensors, [_quantizer(layer, "layer", layer.name)])


class UnsupportedHandler(KerasV3LayerHandler):
    """Quantized layers without a node."""

    handles = tuple(f"qnn_hw.layers.{name}" for name in _UNSUPPORTED)

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> Config:
        """Refuse.

        Raises:
            QnnError: always.
        """
        raise QnnError(f"{layer.name}: the hls4ml bridge has no {type(layer).__name__}; use QuantDense or QuantConv2D")


class QuantizedLayerHandler(_Chained):
    """Our dense layer and convolution: input quantizer, integer sums, scale and bias, activation."""

    handles = ("qnn_hw.layers.QuantDense", "qnn_hw.layers.QuantConv2D")

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[Config, ...]:
        """Up to four nodes.

        Raises:
            QnnError: for weights or geometry that the bridge cannot take.
        """
        from qnn_hw.frontends.keras.operations import code_type_of, function_name

        weights, scale, bias = _weights(layer)
        nodes = []
        if layer.input_quantizer is not None:
            nodes.append(_quantizer(layer, "input_quantizer", f"{layer.name}_input_quantizer"))
        is_map = len(layer.kernel.shape) == 4
        kind = _convolution if is_map else _matvec
        nodes.append(kind(layer, weights, in_tensors[0].shape[1:], out_tensors[0].shape[1:]))
        if (scale != 1).any() or bias.any():
            channels = len(weights)
            nodes.append(
                {
                    "class_name": "BatchNormalization",
                    "name": f"{layer.name}_scale",
                    "n_in": int(np.prod(out_tensors[0].shape[1:])),
                    "n_filt": channels if is_map else -1,
                    "scale_data": np.broadcast_to(scale, channels).copy(),
                    "bias_data": bias,
                }
            )
        if code_type_of(layer.activation) is not None:
            nodes.append(_quantizer(layer, "activation", f"{layer.name}_activation"))
        elif function_name(layer.activation) != "linear":
            if not isinstance(layer.activation, FunctionType):
                raise QnnError(
                    f"{layer.name}: its activation is the object {function_name(layer.activation)}, hls4ml takes "
                    "functions; put it into a layer of its own"
                )
            activation, _ = self.maybe_get_activation_config(layer, out_tensors)
            nodes.append(activation)
        return self.chained(in_tensors, out_tensors, nodes)


def _quantizer(layer: Any, part: str, name: str) -> Config:
    from qnn_hw.hls4ml_bridge.chains import stated_code

    stated_code(layer, part)
    return {"class_name": "QnnQuantizer", "name": name, "keras_layer": layer.name, "part": part}


def _weights(layer: Any) -> tuple[Any, Any, Any]:
    """Return the +-1 rows (filters, inputs), the scales (1 or filters) and the bias (filters)."""
    from qnn_hw.frontends.keras.kernels import integer_kernel
    from qnn_hw.ir.datatype import BIPOLAR

    kernel = integer_kernel(layer)
    if kernel.dtype != BIPOLAR:
        raise QnnError(
            f"{layer.name}: its weights are of type {kernel.dtype}, the hls4ml bridge takes -1 and +1; use "
            "kernel_quantizer='ste_sign'"
        )
    rows = np.moveaxis(kernel.codes, -1, 0)
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(len(rows))
    return rows.reshape(len(rows), -1), kernel.scale, bias


def _matvec(layer: Any, weights: Any, in_shape: Any, out_shape: Any) -> Config:
    return {
        "class_name": "QnnMatvec",
        "name": layer.name,
        "keras_layer": layer.name,
        "n_pixels": int(np.prod(in_shape[:-1])),
        "n_out": len(weights),
        "output_shape": tuple(out_shape),
        **_packed(weights),
    }


def _convolution(layer: Any, weights: Any, in_shape: Any, out_shape: Any) -> Config:
    from qnn_hw.ir.geometry import same_padding

    if layer.data_format != "channels_last" or tuple(layer.dilation_rate) != (1, 1) or layer.groups != 1:
        raise QnnError(
            f"{layer.name}: data_format={layer.data_format}, dilation_rate={tuple(layer.dilation_rate)}, "
            f"groups={layer.groups}; the hls4ml bridge takes channels_last, 1 and 1"
        )
    padding = [(0, 0), (0, 0)]
    if layer.padding == "same":
        axes = zip(in_shape[:2], layer.kernel_size, layer.strides, strict=True)
        padding = [same_padding(*axis) for axis in axes]
    return {
        "class_name": "QnnConvolution",
        "name": layer.name,
        "keras_layer": layer.name,
        **geometry(in_shape, out_shape, layer.kernel_size, layer.strides, (*padding[0], *padding[1])),
        "n_filt": len(weights),
        "output_shape": tuple(out_shape),
        **_packed(weights),
    }


def _packed(weights: Any) -> Config:
    words = pack_weights(weights)
    return {"n_taps": weights.shape[1], "n_words": words.shape[1], "weight_data": words}


def geometry(in_shape: Any, out_shape: Any, size: Any, strides: Any, padding: Any) -> Config:
    """Return the attributes of a sliding window, named as hls4ml names them.

    Args:
        in_shape: height, width, channels.
        out_shape: height, width, whatever.
        size: height, width of the window.
        strides: vertical, horizontal.
        padding: top, bottom, left, right.
    """
    names = ("in_height", "in_width", "n_chan", "out_height", "out_width", "filt_height", "filt_width")
    values = (*in_shape, *out_shape[:2], *size)
    moves = ("stride_height", "stride_width", "pad_top", "pad_bottom", "pad_left", "pad_right")
    return dict(zip((*names, *moves), (int(v) for v in (*values, *strides, *padding)), strict=True))
