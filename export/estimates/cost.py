"""The cost of a graph on a device, kernel by kernel: multiply-accumulates and bytes moved, read off its shapes.

A kernel is a convolution, a product, a norm, a reduction or a move of data, with all pointwise work that follows it:
TensorRT fuses that. What stays inside a kernel moves no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from onnx import ModelProto, NodeProto

from export.estimates.jetsons import ESTIMATED_PRECISIONS
from export.graphs.batch import with_batch
from export.graphs.precision import in_body
from runtime.errors import ExportError
from runtime.model.manifest import Precision

_POINTWISE = frozenset(
    """
    Abs Add Cast Clip DequantizeLinear Div Erf Exp Expand Gelu HardSigmoid HardSwish LeakyRelu Max Min Mul Neg PRelu
    Pow QuantizeLinear Reciprocal Relu Sigmoid Sqrt Sub Tanh Where
    """.split()  # noqa: SIM905
)
_FREE = frozenset(["Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"])  # no data is moved
_QUANTISED = frozenset(["Conv", "MatMul"])  # export.int8.quantize
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A launch: the node that it starts with and the pointwise nodes fused to it."""

    name: str
    in_body: bool
    macs: int = 0
    moved: Mapping[str, int] = field(default_factory=dict)  # tensor or weight -> values read or written

    def bytes_moved(self, widths: Mapping[str, int]) -> int:
        """Return the bytes that it reads and writes, given the width of each value in bytes."""
        return sum(count * widths[name] for name, count in self.moved.items())


@dataclass(frozen=True, slots=True)
class Cost:
    """The kernels of a graph at one batch, and how wide each tensor is in each precision."""

    kernels: tuple[Kernel, ...]
    widths: Mapping[Precision, Mapping[str, int]]  # precision -> tensor -> bytes a value

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole graph."""
        return sum(kernel.macs for kernel in self.kernels)

    def bytes_moved(self, precision: Precision) -> int:
        """Return the bytes that the whole graph reads and writes."""
        return sum(kernel.bytes_moved(self.widths[precision]) for kernel in self.kernels)


def cost_of(model: ModelProto, batch: int = 1) -> Cost:
    """Count the cost of an FP32 encoder graph; raises ExportError where a shape is not known."""
    shapes = _shapes(model, batch)
    weights = {w.name for w in model.graph.initializer}
    kernels = tuple(_kernel(model, nodes, shapes) for nodes in _fused(model).values())
    names = {name for kernel in kernels for name in kernel.moved}
    return Cost(kernels, {p: _widths(model, names | weights, p) for p in ESTIMATED_PRECISIONS})


def macs_of(node: NodeProto, shapes: Shapes) -> int:
    """Count the multiply-accumulates of one node; 0 for what is not a convolution or a product."""
    if node.op_type == "Conv":  # every output value sums over the channels of its group and the window
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":  # every input value goes to all channels of its group and the window
        return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type == "Gemm":
        inner = shapes[node.input[0]][0 if _flag(node, "transA") else 1]
        return prod(shapes[node.output[0]]) * inner
    if node.op_type == "MatMul":
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return 0


def _flag(node: NodeProto, name: str) -> bool:
    return any(a.name == name and a.i for a in node.attribute)


def _shapes(model: ModelProto, batch: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor at one batch; raises ExportError."""
    fixed = with_batch(model, batch)
    shapes = {w.name: tuple(w.dims) for w in fixed.graph.initializer}
    for value in (*fixed.graph.input, *fixed.graph.value_info, *fixed.graph.output):
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    for node in fixed.graph.node:
        for name in (*node.input, *node.output):
            if name and name not in shapes:
                raise ExportError(
                    f"{node.name} ({node.op_type}) has the tensor {name}, whose shape the graph does not tell; "
                    "export it again: python -m export.onnx"
                )
    return shapes


def _fused(model: ModelProto) -> dict[int, list[NodeProto]]:
    """Group nodes by the kernel that they run in, in order; what moves no data runs in none."""
    weights = {w.name for w in model.graph.initializer}
    kernel_of: dict[str, int] = {}  # tensor -> kernel that makes it
    kernels: dict[int, list[NodeProto]] = {}
    for i, node in enumerate(model.graph.node):
        before = [kernel_of[name] for name in node.input if name in kernel_of]
        if node.op_type in _FREE or (node.op_type == "Concat" and not before):
            root = max(before, default=-1)
        else:
            # The latest of those that made its inputs: all others have run by then.
            root = max(before) if before and node.op_type in _POINTWISE else i
            kernels.setdefault(root, []).append(node)
        if root >= 0 and not set(node.input) <= weights:
            kernel_of.update(dict.fromkeys(node.output, root))
    return kernels


def _kernel(model: ModelProto, nodes: list[NodeProto], shapes: Shapes) -> Kernel:
    first = nodes[0]
    macs = sum(macs_of(node, shapes) for node in nodes)
    return Kernel(first.name, in_body(first), macs, dict(_moved(model, nodes, shapes)))


def _moved(model: ModelProto, nodes: list[NodeProto], shapes: Shapes) -> Iterator[tuple[str, int]]:
    """Yield the tensors that a kernel reads from outside or leaves for others, with how many values each has."""
    made = {name for node in nodes for name in node.output}
    own = {id(node) for node in nodes}
    read_outside = {name for node in model.graph.node if id(node) not in own for name in node.input}
    read_outside |= {value.name for value in model.graph.output}
    for name in dict.fromkeys(name for node in nodes for name in (*node.input, *node.output) if name):
        if name not in made or name in read_outside:
            yield name, prod(shapes[name])


def _widths(model: ModelProto, names: Iterable[str], precision: Precision) -> dict[str, int]:
    """Return the bytes a value: camera bytes 1; in the body as the precision says; FP32 outside."""
    touched: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in (*node.input, *node.output):
            touched.setdefault(name, []).append(node)
    inner = {"fp32": 4, "fp16": 2, "int8": 2}[precision]
    widths = {}
    for name in names:
        body = [node for node in touched.get(name, []) if in_body(node)]
        quantised = precision == "int8" and any(n.op_type in _QUANTISED and name in n.input[:2] for n in body)
        widths[name] = 1 if quantised else inner if body else 4
    widths.update({value.name: 1 for value in model.graph.input})
    return widths
