# SPDX-License-Identifier: Apache-2.0
"""The software model: how a Keras model is run so that its floats mean one thing."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from qnn_hw.errors import QnnError
from qnn_hw.frontends.model_file import check_model_file

FloatArray = npt.NDArray[np.float32]


def check_arithmetic(model: Any) -> None:
    """Raise QnnError unless Keras runs on TensorFlow and every layer of `model` computes in float32."""
    if keras.backend.backend() != "tensorflow":
        raise QnnError(
            f"Keras backend: found {keras.backend.backend()}, exactness is defined on tensorflow; "
            "set KERAS_BACKEND=tensorflow before Python starts"
        )
    for layer in [model, *model._flatten_layers(include_self=False)]:
        dtype = layer.compute_dtype
        integer_input = isinstance(layer, keras.layers.InputLayer)
        if dtype != "float32" and not integer_input:
            raise QnnError(f"{layer.name}: computes in {dtype}, exactness is defined in float32; use dtype='float32'")


def predict(model: Any, x: npt.ArrayLike, batch_size: int = 256) -> FloatArray:
    """Run a Keras model the pinned way: TensorFlow, CPU, float32, eagerly (no jit, no graph rewriting).

    Args:
        model: a Keras model.
        x: (N, ...) what the model takes; a prepared model takes raw integer samples in any numeric type.
        batch_size: samples run at once; the result does not depend on it for a prepared model.

    Returns:
        (N, ...) float32.

    Raises:
        QnnError: for another Keras backend or arithmetic, or samples that do not fit an integer input.
    """
    check_arithmetic(model)
    samples = _fit_input(model, np.asarray(x))
    parts = []
    with tf.device("CPU:0"):
        for start in range(0, max(len(samples), 1), batch_size):
            batch = tf.convert_to_tensor(samples[start : start + batch_size])
            parts.append(np.asarray(_call(model, batch), dtype=np.float32))
    return np.concatenate(parts)


def _call(model: Any, batch: Any) -> Any:
    try:
        return model(batch, training=False)
    except (tf.errors.OpError, TypeError, ValueError) as error:
        # For example a convolution of uint8 samples, which TensorFlow does not have.
        reason = " ".join(str(error).split())
        found = f"{batch.dtype.name} samples of shape {tuple(batch.shape[1:])}"
        raise QnnError(
            f"{model.name}: Keras cannot run this model on {found} "
            f"({type(error).__name__}: {reason if len(reason) < 300 else reason[:297] + '...'})"
        ) from error


def _fit_input(model: Any, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    dtype = np.dtype(model.inputs[0].dtype) if getattr(model, "inputs", None) else np.dtype(np.float32)
    if not np.issubdtype(dtype, np.integer):
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    if x.size and (x.min() < limits.min or x.max() > limits.max or (x != np.rint(x)).any()):
        raise QnnError(
            f"{model.name}: the input takes raw {dtype} samples, found values {x.min()}..{x.max()} of type {x.dtype}"
        )
    return x.astype(dtype)


def load_model(path: str | Path) -> Any:
    """Load a `.keras` file; the layers, quantizers and other objects of this package are known by name.

    Raises:
        QnnError: if there is no such file or Keras cannot read it.
    """
    import qnn_hw.activations
    import qnn_hw.constraints
    import qnn_hw.frontends.keras.integer_layers
    import qnn_hw.layers
    import qnn_hw.quantizers  # noqa: F401

    file = Path(path)
    check_model_file(file)
    try:
        return keras.saving.load_model(file, compile=False)
    except QnnError:
        raise
    except Exception as error:  # Keras raises whatever zipfile, h5py, json or a layer's constructor raise
        reason = " ".join(str(error).split())
        reason = reason if len(reason) < 200 else reason[:197] + "..."
        raise QnnError(
            f"{file}: Keras cannot read this file ({type(error).__name__}: {reason}); save it again"
        ) from error
