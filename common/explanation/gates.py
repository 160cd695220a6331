"""Gates, cell states and outputs of a recurrent layer, computed once more from its weights, step by step in float64.

The network's own kernels keep no gates. That what stands here is what they compute is held by a test, for every cell,
and said on the page for the file at hand: the largest difference of outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from common.recurrent.equations import EPSILON
from common.recurrent.kinds import LSTMS

Vectors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trace:
    """What one direction computed at each slice, float64 [T, H]; rows in the order of the slices, both directions.

    Attributes:
        gates: name → values in [0, 1]; none for a plain RNN.
        candidate: what may be written.
        cell: the cell state of LSTMs, None for other cells.
        hidden: the output.
        keeps: the name of the gate that decides how much of the state stays; empty for a plain RNN.
    """

    gates: Vectors
    candidate: np.ndarray
    cell: np.ndarray | None
    hidden: np.ndarray
    keeps: str

    @property
    def state(self) -> np.ndarray:
        """What is carried from slice to slice: the cell state, or where there is none the output."""
        return self.hidden if self.cell is None else self.cell


def trace(kind: str, direction: nn.Module, x: np.ndarray, backwards: bool = False, zoneout: float = 0.0) -> Trace:
    """Run one direction over one sample.

    Args:
        direction: a module of ``common.recurrent.cells.cell``.
        x: [T, F], the layer's input.
        backwards: walks from the last slice to the first.
        zoneout: share of the old state that every unit keeps, as in evaluation.
    """
    weights = {
        name.removesuffix("_l0"): value.detach().cpu().double().numpy() for name, value in direction.named_parameters()
    }
    step = _STEPS[kind]
    num_hidden = weights["weight_hh"].shape[1]
    pre = x.astype(np.float64) @ weights["weight_ih"].T  # [T, G · H]
    order = range(len(x) - 1, -1, -1) if backwards else range(len(x))
    h = c = np.zeros(num_hidden)
    seen: dict[str, np.ndarray] = {}
    for t in order:
        now = step(pre[t], h, c, weights)
        for state, old in (("hidden", h), ("cell", c)):
            if state in now:
                now[state] = zoneout * old + (1 - zoneout) * now[state]
        h, c = now["hidden"], now.get("cell", c)
        for name, value in now.items():
            seen.setdefault(name, np.empty((len(x), num_hidden)))[t] = value
    keeps = "forget" if kind in LSTMS else "update" if "update" in seen else ""
    states = {name: seen.pop(name, None) for name in ("candidate", "cell", "hidden")}
    assert states["hidden"] is not None and states["candidate"] is not None
    return Trace(seen, states["candidate"], states["cell"], states["hidden"], keeps)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(x / 2)) / 2  # never overflows


def _norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + EPSILON)


def _bias(w: Vectors) -> np.ndarray:
    return w["bias"] if "bias" in w else w["bias_ih"] + w["bias_hh"]


def _rnn(pre: np.ndarray, h: np.ndarray, c: np.ndarray, w: Vectors) -> Vectors:
    hidden = np.tanh(pre + w["weight_hh"] @ h + _bias(w))
    return {"candidate": hidden, "hidden": hidden}


def _rnn_relu(pre: np.ndarray, h: np.ndarray, c: np.ndarray, w: Vectors) -> Vectors:
    hidden = np.maximum(pre + w["weight_hh"] @ h + _bias(w), 0)
    return {"candidate": hidden, "hidden": hidden}


def _lstm(pre: np.ndarray, h: np.ndarray, c: np.ndarray, w: Vectors) -> Vectors:
    """lstm, peephole_lstm and layer_norm_lstm: what a model has no weights for is left out."""
    if "gain_ih" in w:
        sums = w["gain_ih"] * _norm(pre) + w["gain_hh"] * _norm(w["weight_hh"] @ h) + w["bias"]
    else:
        sums = pre + w["weight_hh"] @ h + _bias(w)
    i, f, g, o = np.split(sums, 4)
    p_i, p_f, p_o = w.get("peephole", np.zeros((3, len(h))))
    i, f, g = _sigmoid(i + p_i * c), _sigmoid(f + p_f * c), np.tanh(g)
    cell = f * c + i * g
    o = _sigmoid(o + p_o * cell)
    shown = w["gain_cell"] * _norm(cell) + w["bias_cell"] if "gain_cell" in w else cell
    return {"input": i, "forget": f, "output": o, "candidate": g, "cell": cell, "hidden": o * np.tanh(shown)}


def _cifg(pre: np.ndarray, h: np.ndarray, c: np.ndarray, w: Vectors) -> Vectors:
    f, g, o = np.split(pre + w["weight_hh"] @ h + _bias(w), 3)
    f, g, o = _sigmoid(f), np.tanh(g), _sigmoid(o)
    cell = f * c + (1 - f) * g
    return {"input": 1 - f, "forget": f, "output": o, "candidate": g, "cell": cell, "hidden": o * np.tanh(cell)}


def _gru(pre: np.ndarray, h: np.ndarray, c: np.ndarray, w: Vectors) -> Vectors:
    x_r, x_z, x_n = np.split(pre + w["bias_ih"], 3)
    h_r, h_z, h_n = np.split(w["weight_hh"] @ h + w["bias_hh"], 3)
    r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * n + z * h}


def _gru_reset_before(pre: np.ndarray, h: np.ndarray, c: np.ndarray, w: Vectors) -> Vectors:
    x_r, x_z, x_n = np.split(pre + w["bias"], 3)
    to_r, to_z, to_n = np.split(w["weight_hh"], 3)
    r, z = _sigmoid(x_r + to_r @ h), _sigmoid(x_z + to_z @ h)
    n = np.tanh(x_n + to_n @ (r * h))
    return {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * n + z * h}


_STEPS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, Vectors], Vectors]] = {
    "rnn": _rnn,
    "rnn_relu": _rnn_relu,
    "lstm": _lstm,
    "peephole_lstm": _lstm,
    "layer_norm_lstm": _lstm,
    "cifg": _cifg,
    "gru": _gru,
    "gru_reset_before": _gru_reset_before,
}
