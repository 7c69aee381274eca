# SPDX-License-Identifier: Apache-2.0
"""`folding.toml` (errors: tests/cli/test_bad_input.py)."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding, choose_folding, print_folding, read_folding
from qnn_hw.folding.model import FoldableLayer, foldable_layers
from qnn_hw.passes import lower
from tests.random_nets import Conv, Net, build

GRAPH = lower(build(Net((8, 8, 2), (Conv(4, pool=(2, 2), pool_codes=True),), (8,), classes=4), seed=1))
LAYERS = foldable_layers(GRAPH)


def test_the_text_of_a_folding() -> None:
    text = print_folding({"fc-1": LayerFolding(4, 16, "lutram", 8)})
    assert text.isascii() and tomllib.loads(text)
    assert text.splitlines()[2:] == [
        "",
        '["fc-1"]',
        "pe = 4",
        "simd = 16",
        'weight_memory = "lutram"',
        "fifo_depth = 8",
    ]


def test_any_layer_name_reads_back(tmp_path: Path) -> None:
    name = 'a "quoted" \\ naïve [layer]'
    layer = replace(LAYERS[-1], op=replace(LAYERS[-1].op, layer=name))
    path = tmp_path / "folding.toml"
    path.write_text(print_folding({name: LayerFolding(1, 1)}), encoding="utf-8")
    assert read_folding(path, [layer]) == {name: LayerFolding(1, 1)}


def test_a_chosen_folding_reads_back(tmp_path: Path) -> None:
    folding = choose_folding(GRAPH, 2000)
    path = tmp_path / "folding.toml"
    text = print_folding(folding, LAYERS)
    path.write_text(text)
    assert read_folding(path, LAYERS) == folding
    pe, simd = folding["conv0"].pe, folding["conv0"].simd
    assert f'# 4 rows x 18 columns at 36 positions: {LAYERS[0].cycles(pe, simd):,} cycles a frame\n["conv0"]' in text
    assert "# 4 channels at 9 positions: " in text


def test_a_pool_needs_no_simd_and_other_layers_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "folding.toml"
    path.write_text("[conv0_pool]\npe = 2\n")
    assert read_folding(path, LAYERS) == {"conv0_pool": LayerFolding(2, 2)}
    path.write_text("")
    assert read_folding(path, LAYERS) == {}


@pytest.mark.parametrize(
    ("name", "folding", "sentence"),
    [
        ("conv0", LayerFolding(3, 1), "conv0: PE=3 does not divide 4 rows; legal values near it: 2 and 4"),
        ("conv0", LayerFolding(0, 1), "conv0: PE=0 does not divide 4 rows; legal values near it: 1"),
        ("conv0", LayerFolding(8, 1), "conv0: PE=8 does not divide 4 rows; legal values near it: 4"),
        (
            "conv0",
            LayerFolding(1, 3),
            "conv0: SIMD=3 does not divide 18 columns of whole or divided pixels of 2 channels; legal values near it: "
            "2 and 6",
        ),
        (
            "conv0_pool",
            LayerFolding(3, 3),
            "conv0_pool: PE=3 does not divide 4 channels; legal values near it: 2 and 4",
        ),
        ("fc0", LayerFolding(1, 5), "fc0: SIMD=5 does not divide 36 columns; legal values near it: 4 and 6"),
        (
            "fc0",
            LayerFolding(1, 1, fifo_depth=1),
            "fc0: fifo_depth=1; a queue holds at least 2 beats (0: automatic)",
        ),
        (
            "fc0",
            LayerFolding(1, 1, fifo_depth=-4),
            "fc0: fifo_depth=-4; a queue holds at least 2 beats (0: automatic)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" not in value else None,
)
def test_a_folding_that_does_not_fit_names_its_neighbours(name: str, folding: LayerFolding, sentence: str) -> None:
    layer = next(layer for layer in LAYERS if layer.name == name)
    with pytest.raises(QnnError) as caught:
        layer.check(folding)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_what_is_called_legal_is_accepted(layer: FoldableLayer) -> None:
    for pe in layer.pes():
        for simd in layer.simds():
            layer.check(LayerFolding(pe, simd))
            assert layer.cycles(pe, simd) >= layer.cycles(layer.pes()[-1], layer.simds()[-1])
