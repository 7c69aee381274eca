# SPDX-License-Identifier: Apache-2.0
"""The notebook that travels with the driver: pictures, predictions, golden vectors, latency and throughput.

Printed as nbformat 4.5 JSON without outputs. The code cells run in order in the folder of the driver, with nothing but
numpy, matplotlib (both on the PYNQ image) and the driver itself.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = 6
_SHOWN = 12


def notebook_text(facts: Mapping[str, Any]) -> str:
    """Return the notebook of a build as text; the same facts give the same bytes.

    Args:
        facts: the facts the driver reads (`<stem>.json`): name, stem, board_title, part, graph_hash, raw_input,
            preprocessing.

    Returns:
        nbformat 4.5 JSON with a final newline. Cell ids name what a cell does.
    """
    cells = [
        _text("title", _title(facts)),
        _code("open", _open(facts)),
        _text(
            "facts-text",
            "## What is on the board\n\nThe clock is read back from the board, the rest is from the build.",
        ),
        _code("facts", _FACTS),
        _text(
            "golden-text",
            "## Pictures that travelled with it\n\nUnder each: the class the board decides; in red where it is not the "
            "class of the trained model.",
        ),
        _code("golden", _golden(facts["raw_input"]["shape"])),
        _text(
            "validate-text",
            "## Every golden vector\n\n`bit_exact`: each word the board delivered is the word the reference model "
            "computed. `keras_equal`: samples whose class is the class of the trained Keras model.",
        ),
        _code("validate", _VALIDATE),
        _text(
            "speed-text",
            "## Latency and throughput\n\nBoth by the wall clock, Python and copies included; the last bar is what the "
            "accelerator itself counted, at its clock.",
        ),
        _code("speed", _SPEED),
        _text(
            "own-text",
            "## A sample of your own\n\nPut a file beside this notebook and name it in the first line; until then a "
            "golden sample stands in for it.",
        ),
        _code("own", _OWN_SAMPLE if facts["preprocessing"] is None else _OWN_PICTURE),
        _text(
            "close-text",
            "## The end\n\nGives the buffers back. In a program: `with Accelerator() as accelerator: ...` does it by "
            "itself.",
        ),
        _code("close", "accelerator.close()"),
    ]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _text(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}


def _code(name: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {},
        "outputs": [],
        "source": source.strip("\n").splitlines(keepends=True),
    }


def _title(facts: Mapping[str, Any]) -> str:
    return (
        f"# {facts['name']} on {facts['board_title']}\n\n"
        f"A quantized network as an accelerator in the FPGA ({facts['part']}), graph hash `{facts['graph_hash']}`. "
        "Run the cells from top to bottom; the first one configures the FPGA."
    )


def _open(facts: Mapping[str, Any]) -> str:
    return f"""
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from qnn_driver import Accelerator

FOLDER = Path.cwd()  # Jupyter opens a notebook in its own folder
facts = json.loads((FOLDER / {facts["stem"] + ".json"!r}).read_text())
names = facts["class_names"]
accelerator = Accelerator(FOLDER)
"""


_FACTS = """
for key in ("name", "board_title", "part", "graph_hash", "raw_input", "result", "predicted"):
    print(f"{key:12} {facts[key]}")
print(f"{'clock':12} {accelerator.clock_mhz:g} MHz, asked for {facts['clock_mhz']:g} MHz")
print(f"{'pynq':12} {accelerator.pynq_version}")
"""


def _picture(shape: Sequence[int]) -> str:
    """Return the lines of `picture(sample)`: a raw sample (*shape) as what `imshow` takes, (H, W) or (H, W, 3)."""
    if len(shape) == 3 and shape[-1] == 3:
        body = "return sample"
    elif len(shape) == 3:
        body = "return sample[..., 0]" if shape[-1] == 1 else "return sample.mean(axis=-1)"
    elif len(shape) == 2:
        body = "return sample"
    else:
        n = math.prod(shape)
        side = math.isqrt(n)
        rows = side if side * side == n else 1
        body = f"return sample.reshape({rows}, {n // rows})"
    return f"def picture(sample):\n    {body}\n"


def _golden(shape: Sequence[int]) -> str:
    return f"""
golden = np.load(FOLDER / (facts["stem"] + ".golden.npz"))
samples = golden["raw"][:{_SHOWN}]


{_picture(shape)}

decided = accelerator.predict(samples)
expected = golden["keras_class"] if "keras_class" in golden else decided
figure, axes = plt.subplots(-(-len(samples) // {_COLUMNS}), {_COLUMNS}, figsize=(10, 4), squeeze=False)
for axis in axes.flat:
    axis.axis("off")
for axis, sample, index, wanted in zip(axes.flat, samples, decided, expected):
    axis.imshow(picture(sample), cmap="gray")
    axis.set_title(names[int(index)], color="black" if index == wanted else "red")
plt.show()
"""


_VALIDATE = """
verdict = accelerator.validate()
for key, value in verdict.items():
    print(f"{key:24} {value}")
"""

_SPEED = """
latency = accelerator.latency(100)
throughput = accelerator.throughput(1000)
print(latency)
print(throughput)

bars = {
    "one at a time": 1000 / latency["p50"],
    "batches": throughput["frames_per_s"],
    "accelerator alone": throughput["accelerator_frames_per_s"],
}
figure, axis = plt.subplots(figsize=(8, 2.5))
axis.barh(list(bars), list(bars.values()))
axis.set_xscale("log")
axis.set_xlim(1, 10 * max(bars.values()))
axis.set_xlabel("frames a second")
axis.bar_label(axis.containers[0], fmt="%.0f")
figure.tight_layout()
plt.show()
"""


_OWN_PICTURE = """
FILE = None  # for example "seven.png": cut to the network's shape and averaged down to its size

image = picture(golden["raw"][0]) if FILE is None else plt.imread(FILE)
if FILE is None:
    index = int(accelerator.predict(golden["raw"][:1])[0])
else:
    index = accelerator.classify(FILE).class_index
plt.imshow(image, cmap="gray")
plt.title(names[index])
plt.show()
"""

_OWN_SAMPLE = """
FILE = None  # for example "mine.npy": one raw sample, integers of the shape and type above

sample = golden["raw"][0] if FILE is None else np.load(FILE)
index = int(accelerator.predict(sample[None])[0])
plt.imshow(picture(sample), cmap="gray")
plt.title(names[index])
plt.show()
"""
