# SPDX-License-Identifier: Apache-2.0
"""Random shifts and mirrored images: each result is one of the 162 variants of its image."""

import numpy as np

from qnn_hw.zoo.augmentation import BORDER, LARGEST_SHIFT, shifted_and_mirrored

IMAGES = np.random.default_rng(0).integers(0, 256, (400, 6, 5, 2), dtype=np.uint8)


def variants(image: np.ndarray) -> dict[bytes, tuple[int, int, bool]]:
    """Every shifted and mirrored form of one image -> its shifts and whether it is mirrored."""
    height, width, channels = image.shape
    found = {}
    for down in range(-LARGEST_SHIFT, LARGEST_SHIFT + 1):
        for right in range(-LARGEST_SHIFT, LARGEST_SHIFT + 1):
            moved = np.full((height, width, channels), BORDER, np.uint8)
            for row in range(height):
                for column in range(width):
                    if 0 <= row + down < height and 0 <= column + right < width:
                        moved[row, column] = image[row + down, column + right]
            found[moved.tobytes()] = (down, right, False)
            found[moved[:, ::-1].tobytes()] = (down, right, True)
    return found


def test_each_image_becomes_one_of_its_variants_and_all_kinds_occur() -> None:
    before = IMAGES.copy()
    got = shifted_and_mirrored(IMAGES, np.random.default_rng(1))
    assert (got.shape, got.dtype) == (IMAGES.shape, np.uint8)
    assert np.array_equal(IMAGES, before), "the images given were changed"
    seen = []
    for i, (image, result) in enumerate(zip(IMAGES, got, strict=True)):
        known = variants(image)
        assert result.tobytes() in known, f"image {i} is no variant of the original"
        seen.append(known[result.tobytes()])
    down, right, mirrored = (np.array(column) for column in zip(*seen, strict=True))
    assert set(down) == set(right) == set(range(-LARGEST_SHIFT, LARGEST_SHIFT + 1))
    assert 160 < mirrored.sum() < 240


def test_the_same_generator_gives_the_same_images() -> None:
    first, second = (shifted_and_mirrored(IMAGES, np.random.default_rng(2)) for _ in range(2))
    assert np.array_equal(first, second)
