# SPDX-License-Identifier: Apache-2.0
"""From a Keras model to a `Network`: the one step of a sweep that needs TensorFlow; the client does it once a model."""

from pathlib import Path

import numpy as np

from qnn_hw.compiler import GOLDEN_FRAMES, Golden, as_integers
from qnn_hw.explore.network import Network
from qnn_hw.samples import seeded_samples


def read_network(
    path: Path, *, input_dtype: str | None, input_scale: float | None, input_offset: float | None
) -> Network:
    """Convert the model in `path`; arguments as of `qnn_hw.compile`.

    Raises:
        QnnError: naming the layer or option at fault.
    """
    from qnn_hw.frontends.keras import convert, load_model, predict

    converted = convert(load_model(path), input_dtype=input_dtype, input_scale=input_scale, input_offset=input_offset)
    kind = next(iter(converted.graph.inputs.values()))
    samples = seeded_samples(kind, GOLDEN_FRAMES)
    values = as_integers(samples.x, kind)
    scores = predict(converted.prepared.model, values).reshape(len(values), -1)
    return Network(path.stem, converted.graph, Golden(samples, np.argmax(scores, axis=1).astype(np.int64)))
