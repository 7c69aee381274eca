# SPDX-License-Identifier: Apache-2.0
"""Draws docs/img/cycles.svg: which stage works on which frame at which time, of a small network.

    python scripts/plot_timeline.py

The times are those of the cycle model; a row a stage, a colour a frame, from its first input to its last output beat.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from qnn_hw.analysis.schedule import beat_times  # noqa: E402
from qnn_hw.boards import load_board  # noqa: E402
from qnn_hw.compiler import Accelerator, assemble  # noqa: E402
from tests.random_nets import Conv, Net, build  # noqa: E402

OUTPUT = ROOT / "docs" / "img" / "cycles.svg"
FRAMES = 4
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44")
SHOWN = {"fifo": "queue", "window": "line buffer", "matvec": "matvec", "pool": "pool", "classifier": "classifier"}
LEFT, WIDTH, ROW, TOP = 170, 690, 20, 30


def network() -> Accelerator:
    """Two convolutions, a pool and a dense layer on 8x8 maps."""
    net = Net((8, 8, 2), (Conv(8, pool=(2, 2)), Conv(8, kernel=(2, 2), same=True)), (16,), classes=4)
    return assemble(build(net, 1), load_board("pynq-z2"), target_fps=150_000, clock_mhz=100)


def draw(a: Accelerator) -> str:
    """The picture as SVG."""
    times = beat_times(a.folded, a.outside, FRAMES)
    names = {"dma_in": ("dma_in", next(iter(a.folded.inputs)))}
    for op in a.folded.ops:
        if op.keyword in SHOWN and op.outputs[0] in times and op.inputs[0] in times:
            names[f"{op.layer}: {SHOWN[op.keyword]}"] = (op.inputs[0], op.outputs[0])
    end = times["dma_out"][-1][-1]
    height = TOP + ROW * len(names) + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" '
        f'viewBox="0 0 {LEFT + WIDTH + 20} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{LEFT + WIDTH + 20}" height="{height}" fill="white"/>',
    ]
    for row, (name, (source, sink)) in enumerate(names.items()):
        y = TOP + ROW * row
        lines.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{name}</text>')
        for frame in range(FRAMES):
            start, stop = times[source][frame][0], times[sink][frame][-1] + 1
            lines.append(
                f'<rect x="{_x(start, end):.1f}" y="{y + 2 + 4 * frame}" width="{_x(stop, end) - _x(start, end):.1f}" '
                f'height="4" fill="{COLOURS[frame]}"/>'
            )
    for frame in range(FRAMES):
        x, y = _x(times["dma_out"][frame][-1], end), TOP + ROW * len(names)
        lines.append(
            f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{y}" stroke="{COLOURS[frame]}" stroke-dasharray="2 3"/>'
        )
        lines.append(f'<text x="{x:.1f}" y="{y + 16}" text-anchor="middle">{times["dma_out"][frame][-1]}</text>')
    y = TOP + ROW * len(names) + 32
    lines.append(f'<text x="{LEFT}" y="{y}">cycle in which a frame leaves; a colour a frame</text>')
    return "\n".join([*lines, "</svg>", ""])


def _x(cycle: int, end: int) -> float:
    return LEFT + WIDTH * cycle / (end + 1)


if __name__ == "__main__":
    OUTPUT.write_text(draw(network()), encoding="utf-8")
