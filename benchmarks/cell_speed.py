"""Training step of the cells torch lacks against nn.LSTM, and against the same cell as a plain Python loop.

A bidirectional layer of the default networks' shape, one thread. The value is the longest time of peephole, CIFG and
layer-norm LSTM in float32 over that of two nn.LSTM, the way the default networks run them; processor time, medians of
rounds in turn.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.result import Result
from common.recurrent import equations
from common.recurrent.cells import input_part, input_weights, recurrent_matrix, recurrent_part
from common.recurrent.layers import RecurrentLayer
from common.recurrent.recurrence import zero_state
from common.training.precision import choose_precision
from common.training.settings import TrainingSettings

SHAPES = {"speech, 2 x 128": (20, 80, 256, 128), "words, 3 x 256": (23, 70, 512, 256)}  # B, T, F, H
HELD = ("peephole_lstm", "cifg", "layer_norm_lstm")  # held to the limits
OTHERS = ("gru_reset_before", "gru", "rnn", "lstm by scan", "gru by torch", "rnn by torch")
NUM_ROUNDS, LOOP_ROUNDS = 15, 3
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def run() -> Result:
    torch.set_num_threads(1)
    table = {}
    for shape, sizes in SHAPES.items():
        for precision, kind in PRECISIONS.items():
            if kind not in (torch.float32, choose_precision(TrainingSettings.model_validate({}), torch.device("cpu"))):
                continue  # this processor does not train in it
            times = measure(*sizes, kind)
            base = times["nn.LSTM"]
            row = {
                name: {"ms": round(1e3 * seconds, 2), "to nn.LSTM": round(seconds / base, 2)}
                for name, seconds in times.items()
                if not name.endswith("loop")
            }
            for name in HELD:
                row[name]["loop to ours"] = round(times[f"{name} loop"] / times[name], 2)
            table[f"{shape}, {precision}"] = row
            print(f"{shape}, {precision}: {row}", file=sys.stderr)
    rows = [row[name] for key, row in table.items() if key.endswith("float32") for name in HELD]
    detail = {"smallest loop to ours": min(row["loop to ours"] for row in rows), "table": table}
    return Result(max(row["to nn.LSTM"] for row in rows), "ratio", False, detail)


def measure(num_samples: int, num_slices: int, num_inputs: int, num_hidden: int, precision: torch.dtype) -> dict:
    """Name → median seconds of forward and backward, each in turn a round."""
    torch.manual_seed(0)
    x = torch.randn(num_samples, num_slices, num_inputs)
    lengths = torch.full((num_samples,), num_slices)
    gradient = torch.randn(num_samples, num_slices, 2 * num_hidden)
    steps: dict[str, Callable[[], None]] = {}
    for name in ("nn.LSTM", *HELD, *OTHERS):
        kind = {"nn.LSTM": "lstm"}.get(name, name.partition(" by ")[0])
        layer = RecurrentLayer(kind, num_inputs, num_hidden)
        layer.fused_on_cpu = name == "nn.LSTM" or name.endswith(" by torch")
        steps[name] = step(layer, x, gradient, precision, partial(layer, lengths=lengths))
        if name in HELD:
            steps[f"{name} loop"] = step(layer, x, gradient, precision, partial(plain_loop, layer))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for each in steps.values():
        each()  # compiles, allocates
    for number in range(NUM_ROUNDS):
        for name, each in steps.items():
            if name.endswith("loop") and number >= LOOP_ROUNDS:
                continue
            started = time.process_time()
            each()
            times[name].append(time.process_time() - started)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def step(
    layer: RecurrentLayer, x: Tensor, gradient: Tensor, precision: torch.dtype, forward: Callable[[Tensor], Tensor]
) -> Callable[[], None]:
    """Forward and backward, to the input's gradient too."""
    x = x.clone().requires_grad_()

    def once() -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            y = forward(x)
        y.float().backward(gradient)
        layer.zero_grad()

    return once


def plain_loop(layer: RecurrentLayer, x: Tensor) -> Tensor:
    """What a person writes: the input's product at once, then a loop over slices, both directions together."""
    weights = recurrent_part(layer.kind, layer.directions, [recurrent_matrix(each) for each in layer.directions])
    pre = equations.prepare(layer.kind, input_part(x, input_weights(layer.kind, layer.directions), 2), weights)
    state = zero_state(layer.kind, weights, len(x), torch.float32)
    slices = torch.stack([pre[:, :, 0], pre[:, :, 1].flip(1)]).transpose(1, 2)  # -> [D, T, B, G · H]
    outputs = []
    for t in range(x.shape[1]):
        state = equations.advance(layer.kind, slices[:, t], state, weights)
        outputs.append(state.hidden)
    ahead, back = torch.stack(outputs, 2)  # two of [B, T, H]
    return torch.cat([ahead, back.flip(1)], -1)
