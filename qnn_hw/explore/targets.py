# SPDX-License-Identifier: Apache-2.0
"""The targets of a sweep: `--fps START:END[:POINTS]`, evenly spaced in the logarithm, or `--fps 1000,5000,max`."""

import math

from qnn_hw.errors import QnnError
from qnn_hw.folding.choice import TargetFps

MAX_POINTS = 10_000
"""Points of a sweep at most, all its models and boards together."""

DEFAULT_POINTS = 12

HIGHEST_FPS = 1e9
"""A frame a cycle at 1000 MHz, the highest clock: nothing is faster."""

_FORMS = "give START:END, START:END:POINTS, or a list such as 1000,5000,max, in frames a second"


def parse_targets(text: str) -> tuple[TargetFps, ...]:
    """Parse what stands behind `--fps`; rising, each once, `max` last.

    Raises:
        QnnError: for anything that is no such form, rates that are not between 0 and `HIGHEST_FPS`, a range that
            starts above its end, or fewer than 1 or more than `MAX_POINTS` points.
    """
    found = _range(text) if ":" in text else _list(text)
    if len(found) > MAX_POINTS:
        raise QnnError(f"--fps: a list of {len(found):,} targets; give at most {MAX_POINTS:,}")
    return tuple(sorted(set(found), key=lambda target: math.inf if target == "max" else target))


def target_text(target: TargetFps) -> str:
    """Return a target as `parse_targets` takes it."""
    return "max" if target == "max" else f"{target:.15g}"


def _list(text: str) -> list[TargetFps]:
    return ["max" if word.strip() == "max" else _rate(text, word.strip()) for word in text.split(",")]


def _range(text: str) -> list[TargetFps]:
    words = [word.strip() for word in text.split(":")]
    if len(words) not in (2, 3):
        raise QnnError(f"--fps {text}: {_FORMS}")
    start, end = _rate(text, words[0]), _rate(text, words[1])
    if start > end:
        raise QnnError(f"--fps {text}: starts above its end; give the lower rate first")
    try:
        points = int(words[2]) if len(words) == 3 else DEFAULT_POINTS
    except ValueError:
        raise QnnError(f"--fps {text}: {words[2]!r} is no number of points; {_FORMS}") from None
    if not 1 <= points <= MAX_POINTS:
        raise QnnError(f"--fps {text}: {points:,} points; give between 1 and {MAX_POINTS:,}")
    if points == 1 and start != end:
        raise QnnError(f"--fps {text}: a range of 1 point; give 2 or more, or the one rate alone")
    step = (math.log(end) - math.log(start)) / max(points - 1, 1)
    between = [float(f"{math.exp(math.log(start) + i * step):.4g}") for i in range(1, points - 1)]
    return [start, *(min(max(rate, start), end) for rate in between), end]


def _rate(text: str, word: str) -> float:
    try:
        rate = float(word)
    except ValueError:
        raise QnnError(f"--fps {text}: {word!r} is no rate; {_FORMS}") from None
    if not 0 < rate <= HIGHEST_FPS:
        raise QnnError(f"--fps {text}: {word} is not between 0 and {HIGHEST_FPS:g} frames a second")
    return rate
