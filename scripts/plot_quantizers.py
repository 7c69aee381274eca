# SPDX-License-Identifier: Apache-2.0
"""Writes docs/quantizers.md from the quantizers' docstrings, and a plot of each, drawn by evaluating the quantizer.

python scripts/plot_quantizers.py      (a test asserts that the files in docs are what this prints)
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from qnn_hw import quantizers

DOCS = Path(__file__).resolve().parents[1] / "docs"
PLOTS = "img/quantizers"

HEADER = """# Quantizers

Written by `scripts/plot_quantizers.py` from the docstrings; the plots evaluate the quantizers themselves.

A quantizer is given by name, by name with arguments, as a class, as an object, or as any callable:

```python
import numpy as np
import qnn_hw as lq

x = np.array([-1.6, -0.3, 0.0, 0.3, 0.7], np.float32)
for quantizer in ("ste_sign", "ste_tern(threshold_value=0.1)", lq.quantizers.DoReFa, lq.quantizers.FixedPoint(3, 1)):
    q = lq.quantizers.get(quantizer)
    print(q.code_type, np.array(q(x)))
```

```text
bipolar [-1. -1.  1.  1.  1.]
ternary [-1. -1.  0.  1.  1.]
uint2*0.333333 [0.         0.         0.         0.33333334 0.6666667 ]
int3*0.5 [-1.5 -0.5  0.   0.5  0.5]
```

Values are exact: always one of the levels, bit for bit. *Codes* are what `quantizer.code_type` states to the compiler:
the integers that travel in hardware, and the real value of one step. How to write a quantizer of your own is in
[training.md](training.md#a-quantizer-of-your-own); which one to choose is [there](training.md#which-quantizer), too.
In the formulas q is the value and ∂q/∂x the pseudo-gradient that training uses in place of the true one.
"""

NEEDED = {"FixedPoint": "bits=3, fraction_bits=1", "NoOp": "precision=1"}
"""Arguments without which a class cannot be made."""

FURTHER = {
    "SteTern": ("ternary_weight_networks=True",),
    "FixedPoint": ("bits=2, fraction_bits=1, signed=False",),
    "DoReFa": ('mode="weights"',),
}
"""Arguments of further plots."""

X_LIMIT = 1.5
N_STEPS = 600
"""From -X_LIMIT to X_LIMIT; a multiple of 6, so that 0, the halves and +-1 are among the samples."""

Floats = npt.NDArray[np.float64]


def quantizer_classes() -> list[type[quantizers.Quantizer]]:
    """Every quantizer in `qnn_hw.quantizers.__all__` once, the abstract base left out, in the order of the source."""
    found = {getattr(quantizers, name) for name in quantizers.__all__}
    classes = [c for c in found if isinstance(c, type) and issubclass(c, quantizers.Quantizer)]
    classes.remove(quantizers.Quantizer)
    return sorted(classes, key=lambda cls: inspect.getsourcelines(cls)[1])


def shown(cls: type[quantizers.Quantizer]) -> list[tuple[str, str]]:
    """(file name, constructor call) of each plot of `cls`."""
    first = (f"{cls.__name__}.svg", NEEDED.get(cls.__name__, ""))
    further = [(f"{cls.__name__}_{i}.svg", text) for i, text in enumerate(FURTHER.get(cls.__name__, ()), 2)]
    return [(name, f"{cls.__name__}({text})") for name, text in (first, *further)]


def evaluate(call: str) -> tuple[Floats, Floats, Floats]:
    """x, value and gradient of the quantizer that the text `call` makes; x is one column, as a kernel's channel."""
    quantizer = eval(call, vars(quantizers).copy())
    x = (np.arange(N_STEPS + 1) - N_STEPS // 2) * 2 * X_LIMIT / N_STEPS
    tensor = tf.constant(x[:, None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        values = quantizer(tensor)
    gradient = tape.gradient(values, tensor)
    # Rounded, because the last bits of tanh and cosh differ from processor to processor.
    return x, *(np.round(y.numpy()[:, 0].astype(float), 6) for y in (values, gradient))


def plot(call: str) -> str:
    """SVG with the value on the left and the gradient on the right."""
    x, values, gradient = evaluate(call)
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" width="720" height="250" viewBox="0 0 720 250"'
            ' font-family="sans-serif" font-size="12">',
            f"  <title>{_escaped(call)}: value and gradient</title>",
            '  <rect width="720" height="250" fill="#ffffff"/>',
            *_panel(20, f"q(x) of {call}", x, values, "#3b5b8c"),
            *_panel(380, "gradient", x, gradient, "#b04030"),
            "</svg>\n",
        ]
    )


def _panel(left: int, title: str, x: Floats, y: Floats, colour: str) -> list[str]:
    """One diagram, 320 wide, its left edge at `left`."""
    low, high = min(y.min(), 0.0), max(y.max(), 0.0)
    high += 1.0 if low == high else 0.0
    across = left + 40 + (x + X_LIMIT) / (2 * X_LIMIT) * 270
    up = 215 - (y - low) / (high - low) * 165
    zero = 215 + low / (high - low) * 165
    middle = left + 40 + 135
    lines = [
        f'  <text x="{left + 40}" y="24" fill="#222222">{_escaped(title)}</text>',
        f'  <path d="M{left + 40},{zero:.1f} H{left + 310} M{middle},215 V50" stroke="#999999" fill="none"/>',
    ]
    for tick in (-1, 0, 1):
        lines.append(f'  <text x="{middle + tick * 90}" y="236" text-anchor="middle" fill="#555555">{tick}</text>')
    for level in sorted({round(low, 2), 0.0, round(high, 2)}):
        at = 219 - (level - low) / (high - low) * 165
        lines.append(f'  <text x="{left + 34}" y="{at:.1f}" text-anchor="end" fill="#555555">{level:g}</text>')
    # A jump is wider than any slope here makes one step of x.
    jumps = np.flatnonzero(np.abs(np.diff(y)) > 0.05 * (high - low))
    pieces = np.split(np.arange(len(x)), jumps + 1)
    for piece in pieces:
        lines.append(
            f'  <path d="{_path(across[piece], up[piece])}" stroke="{colour}" stroke-width="2.5" fill="none"/>'
        )
    for i in jumps:
        lines.append(
            f'  <path d="M{across[i]:.1f},{up[i]:.1f} L{across[i + 1]:.1f},{up[i + 1]:.1f}" stroke="{colour}"'
            ' stroke-dasharray="2 4" fill="none"/>'
        )
    return lines


def _path(across: Floats, up: Floats) -> str:
    """Line through the points, those within a straight piece left out."""
    kept = [0]
    for i in range(1, len(up) - 1):
        here, before = (up[j + 1] - up[j] for j in (i, kept[-1]))
        if abs(here - before) > 0.02:
            kept.append(i)
    points = [f"{across[i]:.1f},{up[i]:.1f}" for i in (*kept, len(up) - 1)]
    return f"M{points[0]} L{' '.join(points[1:])}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def page() -> str:
    """Text of docs/quantizers.md."""
    classes = quantizer_classes()
    table = ["| quantizer | string | bits | codes |", "| --- | --- | --- | --- |"]
    for cls in classes:
        quantizer = eval(shown(cls)[0][1], vars(quantizers).copy())
        strings = ", ".join(f'`"{name}"`' for name in _strings(cls)) or "-"
        table.append(f"| [{shown(cls)[0][1]}](#{cls.__name__.lower()}) | {strings} | {quantizer.precision} | "
                     f"{quantizer.code_type} |")  # fmt: skip
    return "\n".join([HEADER, *table, *(line for cls in classes for line in _section(cls)), ""])


def _strings(cls: type[quantizers.Quantizer]) -> list[str]:
    """Names by which `quantizers.get` knows `cls`, besides its own."""
    return [name for name, known in quantizers._BY_NAME.items() if known is cls and name != cls.__name__]


def _section(cls: type[quantizers.Quantizer]) -> list[str]:
    text = inspect.getdoc(cls) or ""
    body, _, tail = text.partition("\nArgs:\n")
    source = re.search(r"^Source: .*$", text, re.M)
    lines = ["", f"## {cls.__name__}", "", _with_math_blocks(body.rstrip()), ""]
    arguments = [item for item in _arguments(tail) if not item.startswith(("`metrics`", "`**kwargs`"))]
    if arguments:
        lines += ["Arguments:", "", *(f"- {item}" for item in arguments), ""]
    lines += [f"![{_escaped(call)}: value and gradient]({PLOTS}/{name})" for name, call in shown(cls)]
    return [*lines, "", source[0]] if source else lines


def _arguments(tail: str) -> list[str]:
    """The entries of a docstring's Args, each in one line."""
    entries: list[str] = []
    for line in tail.split("\n\n")[0].splitlines():
        start = re.match(r"    (\*{0,2}\w+): (.*)", line)
        if start:
            entries.append(f"`{start[1]}`: {start[2]}")
        else:
            entries[-1] += " " + line.strip()
    return entries


def _with_math_blocks(text: str) -> str:
    """`$$ ... $$` as fenced blocks, in which Markdown leaves the backslashes alone."""
    return re.sub(
        r"\$\$(.*?)\$\$",
        lambda match: "```math\n" + "\n".join(part.strip() for part in match[1].strip().splitlines()) + "\n```",
        text,
        flags=re.S,
    )


def files() -> dict[Path, str]:
    """Text of every file that is written."""
    plots = {DOCS / PLOTS / name: plot(call) for cls in quantizer_classes() for name, call in shown(cls)}
    return {DOCS / "quantizers.md": page(), **plots}


def main() -> Any:
    """Write the files."""
    written = files()
    (DOCS / PLOTS).mkdir(parents=True, exist_ok=True)
    for old in set((DOCS / PLOTS).glob("*.svg")) - set(written):
        old.unlink()
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return len(written)


if __name__ == "__main__":
    print(f"{main()} files written", file=sys.stderr)
