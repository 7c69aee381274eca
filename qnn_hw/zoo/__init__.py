# SPDX-License-Identifier: Apache-2.0
"""Networks sized for small FPGAs, and a recipe that trains them.

| builder | input | layers | data set |
| --- | --- | --- | --- |
| `digits_mlp` | 8x8x1, 8 bits | dense 128-64-10 | digits |
| `digits_cnn` | 8x8x1, 8 bits | conv 16-32, pool, dense 64-10 | digits |
| `sfc` | 28x28x1, 1 bit | dense 256-256-256-10 | mnist |
| `cnv` | 32x32x3, 8 bits | conv 64-64, pool, 128-128, pool, 256-256, dense 512-512-10 | cifar10 |

    recipe = RECIPES["digits_mlp"]
    train(digits_mlp(), load("digits"), epochs=recipe.epochs, learning_rate=recipe.learning_rate)

All weights are binary, and so is every feature map behind the first layer. Models end in ten scores, without Softmax.
"""

from qnn_hw.zoo.nets import cnv, digits_cnn, digits_mlp, sfc
from qnn_hw.zoo.training import RECIPES, Recipe, TrainingHistory, train

__all__ = ["RECIPES", "Recipe", "TrainingHistory", "cnv", "digits_cnn", "digits_mlp", "sfc", "train"]
