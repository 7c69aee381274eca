# SPDX-License-Identifier: Apache-2.0
"""The calls the notebook makes, with what they must be given; anything else is an AttributeError."""

import numpy as np


class Axes:
    def __init__(self):
        self.containers = []

    def axis(self, option):
        assert option == "off", option

    def imshow(self, picture, cmap):
        shape = np.asarray(picture).shape
        assert len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4)), f"no picture: {shape}"
        assert cmap == "gray", cmap

    def set_title(self, title, color="black"):
        assert isinstance(title, str) and color in ("black", "red"), (title, color)

    def barh(self, names, lengths):
        assert len(names) == len(lengths) and all(length > 0 for length in lengths), (names, lengths)
        self.containers.append(lengths)

    def set_xscale(self, scale):
        assert scale == "log", scale

    def set_xlim(self, left, right):
        assert 0 < left < right, (left, right)

    def set_xlabel(self, label):
        assert isinstance(label, str), label

    def bar_label(self, container, fmt):
        assert container in self.containers, container
        for length in container:
            fmt % length


class Figure:
    def tight_layout(self):
        return None


_current = Axes()
imshow = _current.imshow
title = _current.set_title


def subplots(rows=1, columns=1, figsize=None, squeeze=True):
    made = np.empty((rows, columns), object)
    for place in np.ndindex(made.shape):
        made[place] = Axes()
    return Figure(), made[0, 0] if squeeze and made.size == 1 else made


def show():
    return None
