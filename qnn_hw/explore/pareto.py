# SPDX-License-Identifier: Apache-2.0
"""Which points are worth a look: those that no other one beats."""

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each (cost, gain) whether no other point has at most its cost, at least its gain, and one better.

    Of equal points all are on the front.
    """
    best, kept = float("-inf"), set()
    for cost, gain in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if gain > best:
            best = gain
            kept.add((cost, gain))
    return [point in kept for point in points]
