# SPDX-License-Identifier: Apache-2.0
"""From a Keras model to the software model (`prepare`, `predict`) and to the graph (`convert`).

The only part of the compiler that imports TensorFlow.
"""

from qnn_hw.frontends.keras.convert import HOST_QUANTIZER, Converted, convert
from qnn_hw.frontends.keras.prepare import Prepared, disagreements, prepare
from qnn_hw.frontends.keras.software import load_model, predict

__all__ = ["HOST_QUANTIZER", "Converted", "Prepared", "convert", "disagreements", "load_model", "predict", "prepare"]
