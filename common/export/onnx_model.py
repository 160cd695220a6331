"""A bundle's network as an ONNX model: slices and lengths in, log-probabilities and lengths out."""

from collections.abc import Callable
from functools import partial

import onnx
from torch import nn

from common.bundle import FIELDS, Bundle
from common.export.front_end import front_end
from common.export.graph import FLOAT, INT64, Graph
from common.export.recurrent import recurrent_stack, refuse_unknown
from common.files import to_json
from common.network import Block, Network
from common.network_settings import NetworkSettings
from common.recurrent.stack import RecurrentStack

FORMAT_VERSION = 1
SLICES, LENGTHS, LOG_PROBS, OUT_LENGTHS = "slices", "lengths", "log_probs", "out_lengths"


def onnx_model(network: Network, settings: NetworkSettings, metadata: dict[str, str]) -> onnx.ModelProto:
    """The network in evaluation as a checked model, any batch size and any number of slices.

    ``slices`` float32 [B, T, F] and ``lengths`` int64 [B], each from 1 to T → ``log_probs`` float32 [B, T', V], natural
    logarithms, and ``out_lengths`` int64 [B]; rows behind a sample's length hold no meaning.

    Raises:
        GlyphoneError: a part of the network has no operator in ONNX.
    """
    refuse_unknown(settings)
    graph = Graph()
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    assert isinstance(network.encoder, RecurrentStack)
    x, out_lengths = front_end(graph, blocks, SLICES, LENGTHS)
    x = recurrent_stack(graph, network.encoder, x, out_lengths, partial(_between, graph, network))
    logits = _linear(graph, network.head, x)
    graph.add("LogSoftmax", logits, axis=-1, name=LOG_PROBS)
    graph.add("Identity", out_lengths, name=OUT_LENGTHS)
    return graph.model(
        [(SLICES, FLOAT, ["batch", "num_slices", network.num_features]), (LENGTHS, INT64, ["batch"])],
        [(LOG_PROBS, FLOAT, ["batch", "num_emissions", network.num_labels]), (OUT_LENGTHS, INT64, ["batch"])],
        metadata,
    )


def metadata_of(bundle: Bundle) -> dict[str, str]:
    """What a program needs beside the network, each value as JSON: how slices are made, what labels mean."""
    fields = {name: getattr(bundle, name) for name in FIELDS if name != "summary"}
    corpora = bundle.summary.get("corpora", {})
    return {
        name: to_json(value)
        for name, value in {
            **fields,
            "format_version": FORMAT_VERSION,
            "alphabet": list(bundle.alphabet.symbols),  # label 1 is the first
            "blank": 0,
            "stride": bundle.stride,
            "calibration": bundle.calibration_errors,
            "licences": {name: corpus.get("licence", "") for name, corpus in corpora.items()},
        }.items()
    }


def _between(graph: Graph, network: Network, number: int, x: str, last: Callable[[str], str]) -> str:
    """What the layer behind layer ``number`` reads: with self-conditioning its output and what the head makes of it."""
    if network.condition is None or number not in network.intermediate_layers:
        return x
    read = graph.add("Softmax", _linear(graph, network.head, last(x)), axis=-1)
    return graph.add("Add", x, _linear(graph, network.condition, read))


def _linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    product = graph.add("MatMul", x, graph.constant(layer.weight.T, "head"))
    return graph.add("Add", product, graph.constant(layer.bias, "head_bias"))
