# SPDX-License-Identifier: Apache-2.0
"""The text form of a `Graph`: what tests compare and `graph.txt` holds.

    graph mlp
    input %x : u8[64]
    %fc1_acc = matvec(%x) {layer="fc1", weights=@fc1.weights, domain=dot, pe=0} : i15[32]
    output %fc1_acc

One line an operator: outputs, keyword, inputs, attributes in field order, output types (derived; checked when read).
"""

import re
from dataclasses import fields
from enum import StrEnum
from typing import Any

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, parse_dtype
from qnn_hw.ir.graph import REGISTRY, Constants, ConstRef, Graph, Op, TensorType

_HIDDEN = ("inputs", "outputs")


def print_graph(graph: Graph) -> str:
    """Return the text form of `graph`; `parse_graph` reads it back."""
    lines = [f"graph {graph.name}"]
    lines += [f"input %{name} : {kind}" for name, kind in graph.inputs.items()]
    lines += [_print_op(op, tuple(graph.types[t] for t in op.outputs)) for op in graph.ops]
    lines += [f"output %{name}" for name in graph.outputs]
    return "\n".join(lines) + "\n"


def _print_op(op: Op, types: tuple[TensorType, ...]) -> str:
    attributes = ", ".join(f"{f.name}={_print_value(getattr(op, f.name), f.type)}" for f in _attributes(type(op)))
    outputs = ", ".join(f"%{name}" for name in op.outputs)
    inputs = ", ".join(f"%{name}" for name in op.inputs)
    return f"{outputs} = {op.keyword}({inputs}) {{{attributes}}} : {', '.join(map(str, types))}"


def _attributes(cls: type[Op]) -> list[Any]:
    return [f for f in fields(cls) if f.name not in _HIDDEN]


def _print_value(value: Any, kind: Any) -> str:
    if kind is ConstRef:
        return f"@{value}"
    if isinstance(value, StrEnum | DataType):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "(" + " ".join(str(item) for item in value) + ")"
    return str(value)


_LINE = re.compile(r"(?P<outputs>%.*?) = (?P<keyword>\w+)\((?P<inputs>.*?)\) \{(?P<attributes>.*)\} : (?P<types>.+)")
_TYPE = re.compile(r"(\w[\w.-]*)\[([\d,]*)\](?:/(\d+))?")
_ATTRIBUTE = re.compile(r'(\w+)=("[^"]*"|\([^)]*\)|[^,]*)(?:, |$)')


def parse_type(text: str) -> TensorType:
    """Parse the text form of a tensor type, for example `b1[8,8,16]/4`.

    Raises:
        QnnError: if `text` is no such form.
    """
    match = _TYPE.fullmatch(text)
    if match is None:
        raise QnnError(f"tensor type {text!r}: expected a form like u8[28,28,1] or b1[64]/8")
    dtype, shape, lanes = match.groups()
    return TensorType(tuple(int(n) for n in shape.split(",") if n), parse_dtype(dtype), int(lanes or 0))


def parse_graph(text: str, constants: Constants) -> Graph:
    """Read the text form back; `constants` holds the arrays it refers to.

    Raises:
        QnnError: naming the line that cannot be read.
    """
    import qnn_hw.ir.ops  # noqa: F401  (fills the registry)

    name = ""
    inputs: dict[str, TensorType] = {}
    ops: list[Op] = []
    outputs: list[str] = []
    declared: dict[str, TensorType] = {}
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.partition(" ")
        if word == "graph":
            name = rest
        elif word == "input":
            tensor, _, kind = rest.partition(" : ")
            inputs[tensor.lstrip("%")] = parse_type(kind)
        elif word == "output":
            outputs.append(rest.lstrip("%"))
        elif line.strip():
            op, types = _parse_op(line, number)
            ops.append(op)
            declared.update(zip(op.outputs, types, strict=True))
    graph = Graph(name, inputs, tuple(ops), tuple(outputs), constants)
    for tensor, written in declared.items():
        if graph.types[tensor] != written:
            raise QnnError(f"graph text: %{tensor} is written as {written} but computed as {graph.types[tensor]}")
    return graph


def _parse_op(line: str, number: int) -> tuple[Op, list[TensorType]]:
    match = _LINE.fullmatch(line)
    if match is None or match["keyword"] not in REGISTRY:
        raise QnnError(f"graph text, line {number}: {line!r} is no operator line")
    cls = REGISTRY[match["keyword"]]
    kinds = {f.name: f.type for f in _attributes(cls)}
    values: dict[str, Any] = {}
    for key, raw in _ATTRIBUTE.findall(match["attributes"]):
        if key not in kinds:
            raise QnnError(f"graph text, line {number}: {cls.keyword} has no attribute {key}")
        values[key] = _parse_value(raw, kinds[key])
    op = cls(inputs=_names(match["inputs"]), outputs=_names(match["outputs"]), **values)
    return op, [parse_type(kind) for kind in match["types"].split(", ")]


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lstrip("%") for part in text.split(",") if part.strip())


def _parse_value(raw: str, kind: Any) -> Any:
    if kind is ConstRef:
        return ConstRef(raw[1:])
    if kind is DataType:
        return parse_dtype(raw)
    if raw.startswith('"'):
        return raw[1:-1]
    if raw.startswith("("):
        return tuple(int(item) for item in raw[1:-1].split())
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(raw)
    return raw == "True" if kind is bool else int(raw)
