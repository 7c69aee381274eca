# SPDX-License-Identifier: Apache-2.0
"""Builders of the demonstration networks: one function a network, each a list of named layers.

A block is a quantized layer, a max pool where there is one, and a BatchNormalization; the sign between two blocks is
the input quantizer of the next layer. The pool stands before the normalization, so that in hardware one comparison a
pixel replaces normalization and sign. Images are scaled to x / 128 - 1 inside the model: exact in float32, an integer
map in hardware.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras

from qnn_hw.layers import QuantConv2D, QuantDense

BATCH_NORM_MOMENTUM = 0.9
"""Short trainings need statistics that follow quickly; Keras's 0.99 lags behind by hundreds of steps."""


def digits_mlp(seed: int = 0) -> keras.Sequential:
    """64-128-64-10 dense network for 8x8 images of digits, 8-bit input.

    Args:
        seed: of the initial weights; the same seed gives the same model.

    Returns:
        Untrained model, uint8-valued images (n, 8, 8, 1) to float scores (n, 10).
    """
    seeds = _layer_seeds(seed)
    return keras.Sequential(
        [
            *_scaled_image((8, 8, 1)),
            keras.layers.Flatten(name="flatten"),
            *_dense_block(1, 128, seeds, input_quantizer=None),
            *_dense_block(2, 64, seeds),
            *_dense_block(3, 10, seeds),
        ],
        name="digits_mlp",
    )


def digits_cnn(seed: int = 0) -> keras.Sequential:
    """Convolutional network for 8x8 images of digits, 8-bit input.

    16 filters 3x3 on the zero-padded image, 32 filters 3x3 on a +1-padded binary map, 2x2 max pool, dense 64-10.

    Args:
        seed: of the initial weights; the same seed gives the same model.

    Returns:
        Untrained model, uint8-valued images (n, 8, 8, 1) to float scores (n, 10).
    """
    seeds = _layer_seeds(seed)
    return keras.Sequential(
        [
            *_scaled_image((8, 8, 1)),
            *_conv_block(1, 16, seeds, input_quantizer=None, padding="same"),
            *_conv_block(2, 32, seeds, padding="same", pad_values=1.0, pool=True),
            keras.layers.Flatten(name="flatten"),
            *_dense_block(1, 64, seeds),
            *_dense_block(2, 10, seeds),
        ],
        name="digits_cnn",
    )


def sfc(seed: int = 0) -> keras.Sequential:
    """SFC: 784-256-256-256-10 dense network for 28x28 images of digits, 1-bit input (pixel >= 128).

    Args:
        seed: of the initial weights; the same seed gives the same model.

    Returns:
        Untrained model, uint8-valued images (n, 28, 28, 1) to float scores (n, 10).

    Source: Umuroglu et al., "FINN", FPGA 2017, arXiv:1612.07119.
    """
    seeds = _layer_seeds(seed)
    return keras.Sequential(
        [
            *_scaled_image((28, 28, 1)),
            keras.layers.Flatten(name="flatten"),
            *_dense_block(1, 256, seeds),
            *_dense_block(2, 256, seeds),
            *_dense_block(3, 256, seeds),
            *_dense_block(4, 10, seeds),
        ],
        name="sfc",
    )


def cnv(seed: int = 0) -> keras.Sequential:
    """CNV: VGG-like network for 32x32 colour images, 8-bit input, 59 M multiply-accumulates an image.

    Unpadded 3x3 convolutions 64-64, pool, 128-128, pool, 256-256, then dense 512-512-10.

    Args:
        seed: of the initial weights; the same seed gives the same model.

    Returns:
        Untrained model, uint8-valued images (n, 32, 32, 3) to float scores (n, 10).

    Source: Umuroglu et al., "FINN", FPGA 2017, arXiv:1612.07119.
    """
    seeds = _layer_seeds(seed)
    return keras.Sequential(
        [
            *_scaled_image((32, 32, 3)),
            *_conv_block(1, 64, seeds, input_quantizer=None),
            *_conv_block(2, 64, seeds, pool=True),
            *_conv_block(3, 128, seeds),
            *_conv_block(4, 128, seeds, pool=True),
            *_conv_block(5, 256, seeds),
            *_conv_block(6, 256, seeds),
            keras.layers.Flatten(name="flatten"),
            *_dense_block(1, 512, seeds),
            *_dense_block(2, 512, seeds),
            *_dense_block(3, 10, seeds),
        ],
        name="cnv",
    )


def _layer_seeds(seed: int) -> Iterator[int]:
    """Endless seeds, one a layer; models with neighbouring seeds share none."""
    return iter(range(1000 * seed, 1000 * (seed + 1)))


def _scaled_image(shape: tuple[int, int, int]) -> list[keras.layers.Layer]:
    """Input of `shape` (height, width, channels) with values 0..255, scaled to -1 .. 1 - 1/128."""
    return [keras.Input(shape, name="image"), keras.layers.Rescaling(1.0 / 128.0, offset=-1.0, name="scale")]


def _dense_block(
    index: int, units: int, seeds: Iterator[int], input_quantizer: str | None = "ste_sign"
) -> list[keras.layers.Layer]:
    """`fc<index>` with binary weights, then its normalization `bn_fc<index>`."""
    return [
        QuantDense(
            units,
            use_bias=False,
            input_quantizer=input_quantizer,
            kernel_quantizer="ste_sign",
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            kernel_constraint="weight_clip",
            name=f"fc{index}",
        ),
        keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"bn_fc{index}"),
    ]


def _conv_block(
    index: int,
    filters: int,
    seeds: Iterator[int],
    input_quantizer: str | None = "ste_sign",
    padding: str = "valid",
    pad_values: float = 0.0,
    pool: bool = False,
) -> list[keras.layers.Layer]:
    """`conv<index>`, 3x3 with binary weights, `pool<index>` if asked for, then `bn_conv<index>`."""
    convolution = QuantConv2D(
        filters,
        3,
        padding=padding,
        pad_values=pad_values,
        use_bias=False,
        input_quantizer=input_quantizer,
        kernel_quantizer="ste_sign",
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        kernel_constraint="weight_clip",
        name=f"conv{index}",
    )
    pooling = [keras.layers.MaxPooling2D(2, name=f"pool{index}")] if pool else []
    return [
        convolution,
        *pooling,
        keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"bn_conv{index}"),
    ]
