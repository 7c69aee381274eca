# SPDX-License-Identifier: Apache-2.0
"""`qnn-hw explore` on a Keras model: the points are the accelerators that `compile` makes."""

import json
from pathlib import Path

from tests.cli.session import run


def test_the_points_are_what_compile_makes(tmp_path: Path) -> None:
    import keras

    from qnn_hw.compiler import compile
    from qnn_hw.layers import QuantDense

    binary = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Rescaling(1 / 128, -1),
            QuantDense(8, **binary),
            keras.layers.BatchNormalization(),
            QuantDense(4, input_quantizer="ste_sign", **binary),
        ]
    )
    file, out = tmp_path / "tiny.keras", tmp_path / "sweep"
    model.save(file)
    arguments = ("explore", file, "--fps", "100000,max", "--clock-mhz", "50", "--out", out, "--workers", "1")
    outcome = run(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    facts = json.loads(outcome.out)
    assert (facts["points"], facts["built"], facts["failed"]) == (2, 2, [])
    for row, target in zip(facts["rows"], (100_000.0, "max"), strict=True):
        assert row["model"] == "tiny" and row["clock_mhz"] == 50
        assert row["graph_hash"] == compile(file, target_fps=target, clock_mhz=50).graph_hash
        assert (out / row["build"] / "golden" / "keras_class.npy").is_file()
    again = run(*arguments)
    assert "2 points: 0 computed now, 2 before, 0 failed; 2 fit, 0 cannot be met" in again.out
    assert "tiny on pynq-z2: least area for each target, estimated, not synthesized" in again.out
