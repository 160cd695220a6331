"""The cells once more, from their equations, in NumPy, one slice of one sample at a time."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def norm(x):
    return (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)


def rnn(x, h, c, w):
    return np.tanh(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"]), c


def rnn_relu(x, h, c, w):
    return np.maximum(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"], 0), c


def lstm(x, h, c, w):
    i, f, g, o = np.split(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def peephole_lstm(x, h, c, w):
    i, f, g, o = np.split(w["weight_ih"] @ x + w["bias"] + w["weight_hh"] @ h, 4)
    to_input, to_forget, to_output = w["peephole"]
    c_new = sigmoid(f + to_forget * c) * c + sigmoid(i + to_input * c) * np.tanh(g)
    return sigmoid(o + to_output * c_new) * np.tanh(c_new), c_new


def cifg(x, h, c, w):
    f, g, o = np.split(w["weight_ih"] @ x + w["bias"] + w["weight_hh"] @ h, 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def layer_norm_lstm(x, h, c, w):
    sums = w["gain_ih"] * norm(w["weight_ih"] @ x) + w["gain_hh"] * norm(w["weight_hh"] @ h) + w["bias"]
    i, f, g, o = np.split(sums, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(w["gain_cell"] * norm(c) + w["bias_cell"]), c


def gru(x, h, c, w):
    x_r, x_z, x_n = np.split(w["weight_ih"] @ x + w["bias_ih"], 3)
    h_r, h_z, h_n = np.split(w["weight_hh"] @ h + w["bias_hh"], 3)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h, c


def gru_reset_before(x, h, c, w):
    x_r, x_z, x_n = np.split(w["weight_ih"] @ x + w["bias"], 3)
    to_r, to_z, to_n = np.split(w["weight_hh"], 3)
    r, z = sigmoid(x_r + to_r @ h), sigmoid(x_z + to_z @ h)
    n = np.tanh(x_n + to_n @ (r * h))
    return (1 - z) * n + z * h, c


EQUATIONS = {
    each.__name__: each for each in (rnn, rnn_relu, lstm, peephole_lstm, cifg, layer_norm_lstm, gru, gru_reset_before)
}


def run(kind, x, lengths, directions, keep=None):
    """x [B, T, F], weights by name for each direction → [B, T, D · H], zeros behind the ends, last h and c [D, B, H].

    ``keep`` (hidden, cell) [B, T, D, H]: zoneout's share of the old state.
    """
    num_hidden = directions[0]["weight_hh"].shape[1]
    out = np.zeros((len(x), x.shape[1], len(directions), num_hidden))
    last = np.zeros((2, len(directions), len(x), num_hidden))
    for d, weights in enumerate(directions):
        for b, length in enumerate(lengths):
            h = c = np.zeros(num_hidden)
            for t in range(length) if d == 0 else reversed(range(length)):
                h_new, c_new = EQUATIONS[kind](x[b, t], h, c, weights)
                if keep is not None:
                    h_new = keep[0][b, t, d] * h + (1 - keep[0][b, t, d]) * h_new
                    c_new = keep[1][b, t, d] * c + (1 - keep[1][b, t, d]) * c_new
                h, c = h_new, c_new
                out[b, t, d] = h
            last[:, d, b] = h, c
    return out.reshape(*out.shape[:2], -1), *last
