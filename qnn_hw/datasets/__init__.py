# SPDX-License-Identifier: Apache-2.0
"""Image sets as uint8 arrays, NHWC: `load("digits").x_train` is what the accelerator's wire carries.

| name | images | classes | where from |
| --- | --- | --- | --- |
| digits | 1438 + 359 of 8x8x1 | 10 | embedded in scikit-learn |
| mnist | 60000 + 10000 of 28x28x1 | 10 | Keras's cache, or a path of yours |
| fashion-mnist | 60000 + 10000 of 28x28x1 | 10 | the same |
| cifar10 | 50000 + 10000 of 32x32x3 | 10 | the same |

The forms a path may have are listed in `qnn_hw.datasets.files`. Nothing is ever downloaded here. Loading needs no
TensorFlow.
"""

from qnn_hw.datasets.load import DATASET_NAMES, Dataset, find, load

__all__ = ["DATASET_NAMES", "Dataset", "find", "load"]
