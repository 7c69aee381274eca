# SPDX-License-Identifier: Apache-2.0
"""hls4ml prints a warning and goes on when a plugin fails: these tests look at what has been registered."""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

_LOOK = """
import json, sys
import hls4ml
from hls4ml.backends import get_backend
from hls4ml.converters.keras_v3._base import registry
from hls4ml.model.flow import get_flow
from hls4ml.model.layers import layer_map
from hls4ml.model.optimizer import get_backend_passes
print(json.dumps({
    "heavy": sorted({"tensorflow", "keras", "jax", "torch"} & set(sys.modules)),
    "handlers": sorted(name for name in registry if name.startswith("qnn_hw.")),
    "nodes": sorted(name for name in layer_map if name.startswith("Qnn")),
    "passes": sorted(name for name in get_backend_passes("Vivado") if "qnn_" in name and "template" not in name),
    "templates": sum("qnn" in name and "template" in name for name in get_backend_passes("Vivado")),
    "first": [name for name in get_flow("parse_qonnx").optimizers if "qnn_" in name],
    "headers": {name: sorted(k for k in get_backend(name).get_custom_source() if "qnn" in k)
                for name in ("Vivado", "Vitis", "VivadoAccelerator", "Quartus")},
}))
"""


def _look(plugins: str, first: str = "hls4ml") -> tuple[dict[str, object], str]:
    environment = {**os.environ, "HLS4ML_BACKEND_PLUGINS": plugins, "PYTHONPATH": os.getcwd()}
    program = [sys.executable, "-c", f"import {first}{_LOOK}"]
    run = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=120)
    *messages, last = run.stdout.splitlines()
    return json.loads(last), "\n".join(messages)


def _check(found: dict[str, object], messages: str) -> None:
    assert "WARNING" not in messages
    assert found["heavy"] == [], "registering must not import a framework"
    handlers = found["handlers"]
    assert isinstance(handlers, list)
    assert {"qnn_hw.layers.QuantDense", "qnn_hw.layers.QuantConv2D", "qnn_hw.quantizers.SteSign"} <= set(handlers)
    assert found["nodes"] == ["QnnConvolution", "QnnMatvec", "QnnPool", "QnnQuantizer", "QnnThreshold"]
    assert found["passes"] == [
        "vivado:qnn_accumulators",
        "vivado:qnn_backends",
        "vivado:qnn_fused_thresholds",
        "vivado:qnn_pools_of_codes",
        "vivado:qnn_quantizing_activations",
        "vivado:qnn_value_thresholds",
    ]
    assert found["templates"] == 8
    assert len(found["first"]) == 5  # type: ignore[arg-type]
    headers = found["headers"]
    assert isinstance(headers, dict)
    assert headers["Vivado"] and headers["Vivado"] == headers["Vitis"] == headers["VivadoAccelerator"]
    assert headers["Quartus"] == []


def test_environment_variable_registers_everything_and_imports_no_framework() -> None:
    _check(*_look("qnn_hw.hls4ml_bridge"))


@pytest.mark.parametrize("module", ["handlers", "nodes", "passes", "templates"])
def test_a_module_of_the_bridge_may_be_imported_before_hls4ml(module: str) -> None:
    _check(*_look("qnn_hw.hls4ml_bridge", f"qnn_hw.hls4ml_bridge.{module}"))


def test_entry_point_registers_everything() -> None:
    if not any(found.value.startswith("qnn_hw.") for found in entry_points(group="hls4ml.backends")):
        pytest.skip("qnn-hw is not installed with its entry point")
    _check(*_look(""))


def test_every_quantizer_and_quantized_layer_has_a_handler() -> None:
    from qnn_hw import layers, quantizers
    from qnn_hw.hls4ml_bridge.handlers import QuantizedLayerHandler, QuantizerHandler, UnsupportedHandler

    handled = {*QuantizerHandler.handles, *UnsupportedHandler.handles, *QuantizedLayerHandler.handles}
    public = [getattr(quantizers, name) for name in quantizers.__all__]
    quantizing = {c for c in public if isinstance(c, type) and issubclass(c, quantizers.Quantizer)}
    names = {f"qnn_hw.quantizers.{cls.__name__}" for cls in quantizing - {quantizers.Quantizer}}
    names |= {f"qnn_hw.layers.{name}" for name in layers.__all__ if name.startswith("Quant")}
    assert handled == names
