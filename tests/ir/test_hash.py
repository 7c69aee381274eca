# SPDX-License-Identifier: Apache-2.0
"""The graph hash: of what a graph computes, not of what things are called."""

from dataclasses import replace

import numpy as np
import pytest

from qnn_hw.ir import Graph
from qnn_hw.ir.graph import canonical, hash_graph
from tests.random_nets import Conv, Net, build

NET = Net((6, 6, 1), (Conv(4),), (8,), classes=3)


def renamed(graph: Graph, suffix: str) -> Graph:
    """The same graph with every name changed, constants included."""

    def new(name: str) -> str:
        return f"{name}{suffix}" if name else name

    ops = []
    for op in graph.ops:
        refs = {
            f: new(getattr(op, f))
            for f in ("weights", "thresholds", "falling", "slopes", "biases", "ranks")
            if hasattr(op, f)
        }
        ops.append(
            replace(
                op,
                name=new(op.name),
                layer=new(op.layer),
                inputs=tuple(map(new, op.inputs)),
                outputs=tuple(map(new, op.outputs)),
                **refs,
            )
        )
    return Graph(
        new(graph.name),
        {new(name): kind for name, kind in graph.inputs.items()},
        tuple(ops),
        tuple(map(new, graph.outputs)),
        {new(name): value for name, value in reversed(graph.constants.items())},
    )


def test_names_do_not_count() -> None:
    graph = build(NET, seed=1)
    assert hash_graph(renamed(graph, "_17")) == hash_graph(graph)
    assert canonical(renamed(graph, "_17")) == canonical(graph)


def test_the_hash_is_32_hex_digits_and_stays_what_it_is() -> None:
    graph = build(Net((2,), classes=2, centred=False), seed=0)
    text = hash_graph(graph, "a")
    assert len(text) == 32 and int(text, 16) >= 0
    assert text == hash_graph(graph, "a") != hash_graph(graph, "b")
    assert hash_graph(graph, "a", "b") != hash_graph(graph, "ab")


@pytest.mark.parametrize("name", sorted(build(NET, seed=1).constants))
def test_every_constant_counts(name: str) -> None:
    graph = build(NET, seed=1)
    changed = np.array(graph.constants[name])
    changed.flat[-1] = -changed.flat[-1] if "weights" in name else changed.flat[-1] ^ 1
    other = replace(graph, constants={**graph.constants, name: changed})
    assert hash_graph(other) != hash_graph(graph)


def test_the_layout_of_an_array_in_memory_does_not_count() -> None:
    graph = build(NET, seed=1)
    other = replace(graph, constants={name: np.asfortranarray(value) for name, value in graph.constants.items()})
    assert hash_graph(other) == hash_graph(graph)
