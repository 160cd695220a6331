"""An ONNX graph that grows node by node; the same calls give the same bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor

# Layer normalisation is an operator since 17; later sets bring nothing that is needed here and shut older runtimes out.
OPSET = 17
IR_VERSION = 8  # the one that came with it

FLOAT, INT64, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT32
# Name, element type, sizes: a number, or a name where it is free.
Port = tuple[str, int, Sequence[int | str]]


class Graph:
    """Nodes and constants; values are passed about by their names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names: dict[str, int] = {}
        self._known: dict[bytes, str] = {}

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node with one output; an input that is left out is an empty name. Returns the output's name."""
        output = name or self._fresh(operator.lower())
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"node_{output}", **attributes))
        return output

    def constant(self, value: np.ndarray | Tensor, name: str = "constant") -> str:
        """An array that stands in the file; equal ones stand there once."""
        array = np.ascontiguousarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value)
        key = f"{array.dtype}{array.shape}".encode() + array.tobytes()
        if key not in self._known:
            self._known[key] = self._fresh(name)
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def numbers(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.constant(np.array(values, np.int64), "numbers")

    def model(self, inputs: Sequence[Port], outputs: Sequence[Port], metadata: dict[str, str]) -> onnx.ModelProto:
        """The whole as a checked model.

        Raises:
            onnx.checker.ValidationError: a node is not as ONNX defines it.
        """
        graph = helper.make_graph(
            self.nodes,
            "glyphone",
            [helper.make_tensor_value_info(*each) for each in inputs],
            [helper.make_tensor_value_info(*each) for each in outputs],
            self.constants,
        )
        model = helper.make_model(
            graph, producer_name="glyphone", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        helper.set_model_props(model, dict(sorted(metadata.items())))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _fresh(self, name: str) -> str:
        self._names[name] = self._names.get(name, 0) + 1
        return f"{name}_{self._names[name]}"
