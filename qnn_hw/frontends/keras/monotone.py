# SPDX-License-Identifier: Apache-2.0
"""What is known about float operations: which are monotone in float32, and which have no single result.

A correctly rounded operation with one constant operand is monotone because rounding is. TensorFlow's `tanh` is not in
the list although the function is monotone: neighbouring floats differ by one unit the wrong way (TensorFlow 2.21).
"""

MONOTONE: dict[str, str] = {
    "scale": "one correctly rounded multiplication by a constant",
    "bias": "one correctly rounded addition of a constant",
    "rescaling": "a correctly rounded multiplication, then a correctly rounded addition",
    "batch_normalization": "x * m, then + b, both correctly rounded with m and b constant per channel",
    "flatten": "moves values, changes none",
    "relu": "selects x or 0",
    "relu6": "clips",
    "hard_tanh": "clips",
    "SteSign": "a comparison",
    "ApproxSign": "a comparison",
    "SwishSign": "a comparison",
    "SteHeaviside": "a comparison",
    "SteTern": "two comparisons with constants",
    "FixedPoint": "multiplication by a power of two, round, clip, multiplication by a power of two",
    "DoReFa": "clip, correctly rounded multiplication and division by a constant, round between them",
}
"""Operation -> why it is monotone (rising or falling) in float32. Only these may stand in a bisected chain."""

AMBIGUOUS = frozenset(
    (
        "elu",
        "selu",
        "celu",
        "softplus",
        "sigmoid",
        "exponential",
        "silu",
        "swish",
        "gelu",
        "mish",
        "log_sigmoid",
        "softmax",
    )
)
"""Operations whose float result depends on the element's place in the tensor.

TensorFlow's CPU kernels compute `exp` with vector instructions, except for the last few elements of a tensor, which
take another code path: the same number gives floats one unit apart (TensorFlow 2.21: 1933 of 4096 random numbers for
sigmoid, 75 for elu, none for relu, tanh or softsign).
"""

SINGLE_VALUED = frozenset(
    (*MONOTONE, "linear", "leaky_relu", "prelu", "leaky_tanh", "tanh", "softsign", "hard_sigmoid")
)
"""Operations measured to give one float for one number wherever it stands; any other function is probed."""
