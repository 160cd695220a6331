"""A bundle's network as an ONNX model: slices and lengths in, log-probabilities and lengths out."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
from torch import nn

from common.bundle import FIELDS, Bundle
from common.emissions import blanks
from common.export.front_end import front_end, own_slices
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
    logarithms, and ``out_lengths`` int64 [B]; rows behind a sample's length hold no meaning. A sample of zeros alone
    emits blanks.

    Raises:
        GlyphoneError: a part of the network has no operator in ONNX.
    """
    refuse_unknown(settings)
    graph = Graph()
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    assert isinstance(network.encoder, RecurrentStack)
    own = own_slices(graph, SLICES, LENGTHS)
    x, out_lengths = front_end(graph, blocks, own, LENGTHS)
    x = recurrent_stack(graph, network.encoder, x, out_lengths, partial(_between, graph, network))
    log_probs = graph.add("LogSoftmax", _linear(graph, network.head, x), axis=-1)
    _blanks_where_empty(graph, own, log_probs, network.num_labels)
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


def _blanks_where_empty(graph: Graph, own: str, log_probs: str, num_labels: int) -> None:
    """Samples of zeros alone, silence and blank pictures, emit blanks, as in ``common.emissions``."""
    loudest = graph.add("ReduceMax", graph.add("Abs", own), axes=[1, 2, 3], keepdims=0)  # [B, 1, T, F] -> [B]
    is_heard = graph.add("Greater", loudest, graph.constant(np.zeros((), np.float32), "silence"))
    is_heard = graph.add("Unsqueeze", is_heard, graph.numbers(1, 2))  # [B, 1, 1]
    graph.add("Where", is_heard, log_probs, graph.constant(blanks(1, num_labels), "blanks"), name=LOG_PROBS)


def _linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    product = graph.add("MatMul", x, graph.constant(layer.weight.T, "head"))
    return graph.add("Add", product, graph.constant(layer.bias, "head_bias"))
