# SPDX-License-Identifier: Apache-2.0
"""A converted network as one block of bytes: what goes to the workers, which then need no TensorFlow."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from qnn_hw.compiler import GOLDEN_FRAMES, Golden
from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, hash_graph
from qnn_hw.ir.text import parse_graph, print_graph
from qnn_hw.samples import Samples, seeded_samples

_LABEL, _GRAPH, _SAMPLES, _CLASSES, _SOURCE = "label", "graph", "samples", "keras_class", "source"
_CONSTANT = "constant:"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network before any decision on hardware.

    Attributes:
        label: what the model is called in tables and plots.
        graph: raw samples -> class index, as the front end delivers it.
        golden: the frames that every build of it carries.
    """

    label: str
    graph: Graph
    golden: Golden

    def key(self) -> str:
        """32 hex digits that name the network, its layers' names included: foldings speak of them."""
        return hash_graph(self.graph, print_graph(self.graph))


def network_of(label: str, graph: Graph) -> Network:
    """Return a network without Keras: its golden frames are seeded random values."""
    return Network(label, graph, Golden(seeded_samples(next(iter(graph.inputs.values())), GOLDEN_FRAMES)))


def pack(network: Network) -> bytes:
    """Return the network as bytes, the same for the same network; `unpack` reads them back."""
    samples = network.golden.samples
    arrays = {f"{_CONSTANT}{name}": value for name, value in network.graph.constants.items()}
    for name, text in ((_LABEL, network.label), (_GRAPH, print_graph(network.graph)), (_SOURCE, samples.source)):
        arrays[name] = np.frombuffer(text.encode(), np.uint8)
    arrays[_SAMPLES] = np.asarray(samples.x)
    if network.golden.keras_class is not None:
        arrays[_CLASSES] = network.golden.keras_class
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


@lru_cache(maxsize=4)
def unpack(packed: bytes) -> Network:
    """Read what `pack` wrote.

    Raises:
        QnnError: for anything else.
    """
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        constants = {
            name.removeprefix(_CONSTANT): value for name, value in arrays.items() if name.startswith(_CONSTANT)
        }
        label, text, source = (arrays[name].tobytes().decode() for name in (_LABEL, _GRAPH, _SOURCE))
        graph, samples = parse_graph(text, constants), Samples(arrays[_SAMPLES], None, source)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise QnnError(f"explore: a damaged network arrived ({error}); repeat the command") from None
    return Network(label, graph, Golden(samples, arrays.get(_CLASSES)))
