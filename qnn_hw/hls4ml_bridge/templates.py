# SPDX-License-Identifier: Apache-2.0
"""C++ of our nodes: a configuration struct and a call each, and the headers that a project needs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from hls4ml.backends import get_backend
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.optimizer import get_backend_passes
from hls4ml.model.types import XnorPrecisionType

from qnn_hw.errors import QnnError
from qnn_hw.hls4ml_bridge.nodes import QnnConvolution, QnnMatvec, QnnPool, QnnThreshold
from qnn_hw.resources import resource_dir

_GEOMETRY = (
    *("in_height", "in_width", "n_chan", "filt_height", "filt_width", "stride_height", "stride_width"),
    *("pad_top", "pad_bottom", "pad_left", "pad_right", "out_height", "out_width"),
)


def headers() -> tuple[Path, ...]:
    """Return the C++ headers that go into the folder nnet_utils of a project.

    Raises:
        QnnError: if there are none, which means a damaged installation.
    """
    folder = resource_dir("hls_templates") / "hls4ml"
    found = tuple(sorted(folder.glob("nnet_qnn_*.h")))
    if not found:
        raise QnnError(f"hls4ml bridge: no header nnet_qnn_*.h in {folder}; install qnn-hw again")
    return found


def _constants(values: dict[str, Any]) -> str:
    """Return one line of C++ a constant; bool, int or (unsigned) by the sign of what it means."""
    lines = []
    for name, value in values.items():
        kind = "bool" if isinstance(value, bool) else "int" if name in _SIGNED else "unsigned"
        text = str(value).lower() if isinstance(value, bool) else str(int(value))
        lines.append(f"    static const {kind} {name} = {text};\n")
    return "".join(lines)


_SIGNED = frozenset(("pad_code", "low", "step", "flip"))


def _types(node: Any, names: Iterable[str]) -> str:
    return "".join(f"    typedef {node.get_attr(name).name} {name};\n" for name in names)


def _input_code(node: Any) -> dict[str, Any]:
    """Width and sign of the codes that arrive."""
    precision = node.get_input_variable().type.precision
    return {"code_width": precision.width, "code_signed": bool(precision.signed)}


class _Config(LayerConfigTemplate):
    """struct configN { constants and types };"""

    types: ClassVar[tuple[str, ...]] = ()

    def constants(self, node: Any) -> dict[str, Any]:
        """Constants of the struct, name -> bool or int."""
        raise NotImplementedError

    def format(self, node: Any) -> str:
        """C++ of the struct."""
        body = _constants(self.constants(node)) + _types(node, self.types)
        return f"struct config{node.index} {{\n{body}}};\n"


class _DotConfig(_Config):
    types = ("weight_t",)

    def constants(self, node: Any) -> dict[str, Any]:
        bipolar = isinstance(node.get_input_variable().type.precision, XnorPrecisionType)
        padded = any(node.get_attr(f"pad_{side}", 0) for side in ("top", "bottom", "left", "right"))
        return {
            **{name: node.get_attr(name) for name in ("n_taps", "n_words", "pad_code", "acc_width", "reuse_factor")},
            **_input_code(node),
            "bipolar": bipolar,
            "zero_padding": bool(padded and node.get_attr("pad_code") == 0),
        }


class MatvecConfig(_DotConfig):
    """Configuration of `QnnMatvec`."""

    def __init__(self) -> None:
        super().__init__(QnnMatvec)

    def constants(self, node: Any) -> dict[str, Any]:
        """Sizes, types, operand."""
        return {**{name: node.get_attr(name) for name in ("n_pixels", "n_out")}, **super().constants(node)}


class ConvolutionConfig(_DotConfig):
    """Configuration of `QnnConvolution`."""

    def __init__(self) -> None:
        super().__init__(QnnConvolution)

    def constants(self, node: Any) -> dict[str, Any]:
        """Geometry, types, operand."""
        return {**{name: node.get_attr(name) for name in (*_GEOMETRY, "n_filt")}, **super().constants(node)}


class ThresholdConfig(_Config):
    """Configuration of `QnnThreshold`."""

    types = ("threshold_t", "falling_t")

    def __init__(self) -> None:
        super().__init__(QnnThreshold)

    def constants(self, node: Any) -> dict[str, Any]:
        """Sizes and codes."""
        n_chan, n_steps = node.get_attr("threshold_data").shape
        return {
            "n_values": node.get_output_variable().size(),
            "n_chan": n_chan,
            "n_steps": n_steps,
            "low": node.get_attr("low"),
            "step": node.get_attr("step"),
            "out_width": node.get_output_variable().type.precision.width,
            **_input_code(node),
        }


class PoolConfig(_Config):
    """Configuration of `QnnPool`."""

    types = ("complement_t",)

    def __init__(self) -> None:
        super().__init__(QnnPool)

    def constants(self, node: Any) -> dict[str, Any]:
        """Geometry and codes."""
        return {**{name: node.get_attr(name) for name in (*_GEOMETRY, "flip")}, **_input_code(node)}


class _Call(FunctionCallTemplate):
    """nnet::function<in, out, config>(in, out, weights ...);"""

    function: ClassVar[str]
    weights: ClassVar[tuple[str, ...]]

    def format(self, node: Any) -> str:
        """C++ of the call."""
        call = self._default_function_params(node)
        arguments = [call["input"], call["output"], *(node.get_weights(name).name for name in self.weights)]
        kinds = ", ".join((call["input_t"], call["output_t"], call["config"]))
        return f"nnet::{self.function}<{kinds}>({', '.join(arguments)});"


class MatvecCall(_Call):
    """Call of `QnnMatvec`."""

    function, weights = "qnn_matvec", ("weight",)

    def __init__(self) -> None:
        super().__init__(QnnMatvec, include_header=["nnet_utils/nnet_qnn_matvec.h"])


class ConvolutionCall(_Call):
    """Call of `QnnConvolution`."""

    function, weights = "qnn_convolution", ("weight",)

    def __init__(self) -> None:
        super().__init__(QnnConvolution, include_header=["nnet_utils/nnet_qnn_convolution.h"])


class ThresholdCall(_Call):
    """Call of `QnnThreshold`."""

    function, weights = "qnn_threshold", ("threshold", "falling")

    def __init__(self) -> None:
        super().__init__(QnnThreshold, include_header=["nnet_utils/nnet_qnn_threshold.h"])


class PoolCall(_Call):
    """Call of `QnnPool`."""

    function, weights = "qnn_pool", ("complement",)

    def __init__(self) -> None:
        super().__init__(QnnPool, include_header=["nnet_utils/nnet_qnn_pool.h"])


_TEMPLATES = (
    *(MatvecConfig, ConvolutionConfig, ThresholdConfig, PoolConfig),
    *(MatvecCall, ConvolutionCall, ThresholdCall, PoolCall),
)


def register_templates(backends: Iterable[str]) -> None:
    """Register the templates once, with Vivado (whose flow the others run), and the headers with every backend."""
    vivado = get_backend("Vivado")
    for template in _TEMPLATES:
        if f"vivado:{template().get_name()}" not in get_backend_passes("Vivado"):
            vivado.register_template(template)
    for name in backends:
        for header in headers():
            get_backend(name).register_source(header)
