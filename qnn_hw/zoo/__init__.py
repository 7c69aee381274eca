# SPDX-License-Identifier: Apache-2.0
"""Networks sized for small FPGAs, and the recipes that train them.

| builder | input | layers | data sets |
| --- | --- | --- | --- |
| `digits_mlp` | 8x8x1, 8 bits | dense 128-64-10 | digits |
| `digits_cnn` | 8x8x1, 8 bits | conv 16-32, pool, dense 64-10 | digits |
| `sfc` | 28x28x1, 1 bit | dense 256-256-256-10 | mnist, fashion-mnist |
| `cnv` | 32x32x3, 8 bits | conv 64-64, pool, 128-128, pool, 256-256, dense 512-512-10 | cifar10 |

    recipe = RECIPES["digits_mlp"]
    train(digits_mlp(), load("digits"), epochs=recipe.epochs, learning_rate=recipe.learning_rate)

All weights are binary, and so is every feature map behind the first layer. Models end in ten scores, without Softmax.
Everything is imported on first use: the recipes can be read without loading Keras.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qnn_hw.zoo.nets import cnv, digits_cnn, digits_mlp, sfc
    from qnn_hw.zoo.recipes import RECIPES, Recipe
    from qnn_hw.zoo.training import Progress, TrainingHistory, train

__all__ = ["RECIPES", "Progress", "Recipe", "TrainingHistory", "cnv", "digits_cnn", "digits_mlp", "sfc", "train"]

_PLACES = {
    **dict.fromkeys(("cnv", "digits_cnn", "digits_mlp", "sfc"), "nets"),
    **dict.fromkeys(("RECIPES", "Recipe"), "recipes"),
    **dict.fromkeys(("Progress", "TrainingHistory", "train"), "training"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qnn_hw.zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(f"qnn_hw.zoo.{_PLACES[name]}"), name)
