# SPDX-License-Identifier: Apache-2.0
"""Random variants of images that keep their class: four pixels of shift and mirroring, the usual for CIFAR-10."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LARGEST_SHIFT = 4
"""Pixels up, down, left or right."""

BORDER = 128
"""Value of pixels that were outside the image; the middle of the range, which the zoo's nets scale to zero."""


def shifted_and_mirrored(images: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Shift each image by up to `LARGEST_SHIFT` pixels along both axes and mirror half of them left to right.

    Args:
        images: (n, height, width, channels).
        generator: decides; the same state gives the same images.

    Returns:
        New array of the same shape.
    """
    n, height, width, _ = images.shape
    around = ((0, 0), (LARGEST_SHIFT, LARGEST_SHIFT), (LARGEST_SHIFT, LARGEST_SHIFT), (0, 0))
    padded = np.pad(images, around, constant_values=BORDER)
    down, right = generator.integers(0, 2 * LARGEST_SHIFT + 1, (2, n, 1))
    rows = down + np.arange(height)
    columns = right + np.arange(width)
    mirrored = generator.random(n) < 0.5
    columns[mirrored] = columns[mirrored, ::-1]
    chosen: npt.NDArray[np.uint8] = padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return chosen
