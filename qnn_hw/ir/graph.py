# SPDX-License-Identifier: Apache-2.0
"""`Graph`, `TensorType` and the operator base class with its registry."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, NewType, Self, TypeVar

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, IntArray

ConstRef = NewType("ConstRef", str)
"""The name of an entry in `Graph.constants`; the empty string means "none"."""

Constants = Mapping[str, IntArray]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape of one frame (no batch axis; H, W, C or C), element type and elements a beat.

    `lanes` is 0 until folding has decided how many elements travel in one beat.
    """

    shape: tuple[int, ...]
    dtype: DataType
    lanes: int = 0

    @property
    def elements(self) -> int:
        """Elements in one frame."""
        return int(np.prod(self.shape))

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1]

    @property
    def pixels(self) -> int:
        """Positions of one frame: all axes but the last."""
        return self.elements // self.channels

    @property
    def beats(self) -> int:
        """Beats of one frame; needs `lanes`."""
        return self.elements // self.lanes

    @property
    def width_bits(self) -> int:
        """Bits of one beat; needs `lanes`."""
        return self.lanes * self.dtype.bits

    def __str__(self) -> str:
        lanes = f"/{self.lanes}" if self.lanes else ""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]{lanes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op(ABC):
    """An operator: pure data plus its type rule and its slow, obvious meaning.

    Attributes:
        name: unique in the graph, used in files and messages.
        layer: name of the Keras layer it comes from; the key in `folding.toml`.
        inputs: tensor names read.
        outputs: tensor names written.
    """

    keyword: ClassVar[str] = ""

    name: str
    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @abstractmethod
    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Return the output types; raise QnnError naming `layer` where operands do not fit."""

    @abstractmethod
    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Compute the output values (N, ...) from the input values (N, ...) in int64 NumPy; `types` of the inputs.

        Every output carries these values: an operator with several outputs copies.
        """

    def cycles(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...], constants: Constants) -> int:
        """Return the cycles one frame takes in steady state once folded: one beat a cycle at the busier side."""
        return max(t.beats for t in (*inputs, *outputs))

    def constant_names(self) -> tuple[str, ...]:
        """Names of the constants this operator refers to."""
        refs = (getattr(self, f.name) for f in fields(self) if f.type is ConstRef)
        return tuple(ref for ref in refs if ref)


REGISTRY: dict[str, type[Op]] = {}
"""Operator classes by the keyword that stands in the text form."""


_OpClass = TypeVar("_OpClass", bound=type[Op])


def operator(keyword: str) -> Callable[[_OpClass], _OpClass]:
    """Class decorator: enter an operator into `REGISTRY` under `keyword`."""

    def enter(cls: _OpClass) -> _OpClass:
        cls.keyword = keyword
        REGISTRY[keyword] = cls
        return cls

    return enter


_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Graph:
    """An immutable dataflow graph in execution order.

    Attributes:
        name: a label; no part of the graph hash.
        inputs: name -> type of what comes from outside.
        ops: operators, each after the ones whose tensors it reads.
        outputs: names of the tensors delivered.
        constants: named int64 arrays (weights, thresholds, ...); not part of equality, see `constants_equal`.
        types: types of all tensors, derived by construction.

    Raises:
        QnnError: at construction, through `verify`, where the graph is not well formed.
    """

    name: str
    inputs: Mapping[str, TensorType]
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]
    constants: Constants = field(default_factory=dict, compare=False, repr=False)
    types: Mapping[str, TensorType] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", verify(self))

    def with_ops(self, ops: tuple[Op, ...], constants: Constants | None = None, outputs: tuple[str, ...] = ()) -> Self:
        """Return a graph with other operators and constants; constants nobody refers to any more are dropped."""
        table = dict(self.constants if constants is None else constants)
        used = {name for op in ops for name in op.constant_names()}
        return replace(
            self,
            ops=ops,
            constants={k: v for k, v in table.items() if k in used},
            outputs=outputs or self.outputs,
        )

    def producer(self, tensor: str) -> Op | None:
        """Return the operator that writes `tensor`, None for a graph input."""
        return next((op for op in self.ops if tensor in op.outputs), None)

    def consumers(self, tensor: str) -> tuple[Op, ...]:
        """Return the operators that read `tensor`."""
        return tuple(op for op in self.ops if tensor in op.inputs)

    def read_once(self, tensor: str) -> bool:
        """Tell whether `tensor` goes to one place only: into one operator, once, or out of the graph."""
        reads = [name for op in self.ops for name in op.inputs] + list(self.outputs)
        return reads.count(tensor) == 1

    def input_types(self, op: Op) -> tuple[TensorType, ...]:
        """Return the types of what `op` reads."""
        return tuple(self.types[name] for name in op.inputs)

    def constants_equal(self, other: "Graph") -> bool:
        """Tell whether both graphs hold the same constants, element for element."""
        return self.constants.keys() == other.constants.keys() and all(
            np.array_equal(value, other.constants[key]) for key, value in self.constants.items()
        )


def verify(graph: Graph) -> dict[str, TensorType]:
    """Check a graph and return the types of its tensors.

    Ensures: names are identifiers and unique, each tensor is written once and before it is read, every constant
    exists and is int64, every operator accepts its operands.

    Raises:
        QnnError: naming the operator or tensor at fault.
    """
    types = dict(graph.inputs)
    seen: set[str] = set()
    for op in graph.ops:
        _verify_names(op, seen, types)
        for ref in op.constant_names():
            if ref not in graph.constants:
                raise QnnError(f"{op.layer}: constant @{ref} of {op.name} is missing from the graph")
            if graph.constants[ref].dtype != np.int64:
                raise QnnError(f"{op.layer}: constant @{ref} is {graph.constants[ref].dtype}, expected int64")
        produced = op.infer(tuple(types[name] for name in op.inputs), graph.constants)
        if len(produced) != len(op.outputs):
            raise QnnError(f"{op.layer}: {op.name} names {len(op.outputs)} outputs but computes {len(produced)}")
        types.update(zip(op.outputs, produced, strict=True))
    missing = [name for name in graph.outputs if name not in types]
    if missing:
        raise QnnError(f"graph {graph.name}: output %{missing[0]} is written by no operator")
    return types


def _verify_names(op: Op, seen: set[str], types: Mapping[str, TensorType]) -> None:
    for name in (op.name, *op.outputs):
        if not _IDENTIFIER.fullmatch(name):
            raise QnnError(f"{op.layer}: {name!r} is no identifier (letters, digits and _ only)")
    if op.name in seen:
        raise QnnError(f"{op.layer}: the operator name {op.name} is used twice")
    seen.add(op.name)
    for name in op.inputs:
        if name not in types:
            raise QnnError(f"{op.layer}: {op.name} reads %{name}, which no earlier operator writes")
    for name in op.outputs:
        if name in types:
            raise QnnError(f"{op.layer}: {op.name} writes %{name} a second time")


def canonical(graph: Graph) -> Graph:
    """Return the graph with every name replaced by one that depends on its place only.

    Keras numbers unnamed layers through the life of a process; the graph hash must not depend on that.
    """
    tensors = {name: f"t{i}" for i, name in enumerate(graph.types)}
    refs: dict[str, str] = {}
    ops: list[Op] = []
    for i, op in enumerate(graph.ops):
        changes: dict[str, object] = {
            "name": f"n{i}",
            "layer": f"l{i}",
            "inputs": tuple(tensors[t] for t in op.inputs),
            "outputs": tuple(tensors[t] for t in op.outputs),
        }
        for f in fields(op):
            ref = getattr(op, f.name)
            if f.type is ConstRef and ref:
                changes[f.name] = refs.setdefault(ref, f"c{len(refs):04d}")
        ops.append(replace(op, **changes))  # type: ignore[arg-type]
    return Graph(
        "graph",
        {tensors[k]: v for k, v in graph.inputs.items()},
        tuple(ops),
        tuple(tensors[t] for t in graph.outputs),
        {refs[k]: v for k, v in graph.constants.items() if k in refs},
    )


def hash_graph(graph: Graph, *context: str) -> str:
    """Return the graph hash: 32 hex digits, the first 128 bits of SHA-256.

    Hashed are the canonical text, the constants (sorted by canonical name, little-endian, C order) and `context`
    (inputs and outputs, clock, shell version, ...).
    """
    from qnn_hw.ir.text import print_graph

    plain = canonical(graph)
    digest = hashlib.sha256(print_graph(plain).encode())
    for name, value in sorted(plain.constants.items()):
        digest.update(f"{name}:{value.shape}".encode())
        digest.update(np.ascontiguousarray(value, dtype="<i8").tobytes())
    for item in context:
        digest.update(item.encode() + b"\0")
    return digest.hexdigest()[:32]
