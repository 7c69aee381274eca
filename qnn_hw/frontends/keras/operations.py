# SPDX-License-Identifier: Apache-2.0
"""What an elementwise layer or function is called in `monotone`, and which codes it delivers."""

from typing import Any

import keras
import numpy as np

from qnn_hw.frontends.keras.integer_layers import Apply, Bias, Scale
from qnn_hw.ir.code_type import CodeType
from qnn_hw.quantizers import Quantizer


def code_type_of(function: Any) -> CodeType | None:
    """Return what a quantizer, or an activation layer that holds one, delivers; None for everything else."""
    if isinstance(function, Apply):
        return code_type_of(function.function)
    if isinstance(function, keras.layers.Activation):
        return code_type_of(function.activation)
    if isinstance(function, Quantizer):
        return function.code_type
    found = getattr(function, "code_type", None)
    return found if isinstance(found, CodeType) else None


def operation_of(module: Any) -> str | None:
    """Return the name under which `monotone` knows a layer or function; None for an unsupported layer."""
    match module:
        case Apply():
            return function_name(module.function)
        case keras.layers.Activation():
            return function_name(module.activation)
        case keras.layers.BatchNormalization():
            return "batch_normalization"
        case keras.layers.ReLU():
            plain = not module.negative_slope and not module.threshold
            return "relu" if plain else "leaky_relu"
        case keras.layers.LeakyReLU():
            return "leaky_relu"
        case keras.layers.PReLU():
            return "prelu"
        case keras.layers.ELU():
            return "elu"
        case keras.layers.Rescaling():
            return "rescaling"
        case Scale():
            return "scale"
        case Bias():
            return "bias"
        case _ if code_type_of(module) is not None:
            return function_name(module)
    return None


def function_name(function: Any) -> str:
    """Return the name of an activation function, or of the layer that stands for one."""
    if isinstance(function, keras.layers.Layer):
        name = operation_of(function) if not isinstance(function, Quantizer) else type(function).__name__
        name = name or type(function).__name__
        if getattr(function, "mode", None) == "weights" or getattr(function, "ternary_weight_networks", False):
            return f"{name} of a whole tensor"  # not elementwise: the probe finds out
        return name
    return getattr(function, "__name__", type(function).__name__)


def is_single_valued(module: Any) -> bool:
    """Probe an unknown function: one float for one number, alone or among others."""
    numbers = (np.random.default_rng(0).standard_normal(512) * 4).astype(np.float32)
    together = np.asarray(module(keras.ops.convert_to_tensor(numbers[:, None])))[:, 0]
    alone = np.array([np.asarray(module(keras.ops.convert_to_tensor(n.reshape(1, 1))))[0, 0] for n in numbers])
    return bool(np.array_equal(together, alone, equal_nan=True))
