"""The equations of the cells as lines of text, σ the logistic function and * a product unit by unit."""

_LSTM = (
    "i = σ(W_i x + R_i h + b_i)        input gate: how much of the candidate is written",
    "f = σ(W_f x + R_f h + b_f)        forget gate: how much of the old cell state stays",
    "g = tanh(W_g x + R_g h + b_g)     candidate: what may be written",
    "o = σ(W_o x + R_o h + b_o)        output gate: how much of the cell state is shown",
    "c = f * c + i * g                 cell state",
    "h = o * tanh(c)                   output",
)
_RNN = "h = tanh(W x + R h + b)           output, and all that is remembered"
EQUATIONS: dict[str, tuple[str, ...]] = {
    "rnn": (_RNN,),
    "rnn_relu": ("h = max(0, W x + R h + b)         output, and all that is remembered",),
    "lstm": _LSTM,
    "peephole_lstm": (
        "i = σ(W_i x + R_i h + p_i * c + b_i)   input gate: how much of the candidate is written",
        "f = σ(W_f x + R_f h + p_f * c + b_f)   forget gate: how much of the old cell state stays",
        "g = tanh(W_g x + R_g h + b_g)          candidate: what may be written",
        "c = f * c + i * g                      cell state",
        "o = σ(W_o x + R_o h + p_o * c + b_o)   output gate: it sees the new cell state",
        "h = o * tanh(c)                        output",
    ),
    "cifg": (
        "f = σ(W_f x + R_f h + b_f)        forget gate: how much of the old cell state stays",
        "i = 1 - f                         input gate: as much is written as is forgotten",
        "g = tanh(W_g x + R_g h + b_g)     candidate: what may be written",
        "o = σ(W_o x + R_o h + b_o)        output gate: how much of the cell state is shown",
        "c = f * c + i * g                 cell state",
        "h = o * tanh(c)                   output",
    ),
    "layer_norm_lstm": (
        "i = σ(…), f = σ(…), g = tanh(…), o = σ(…), each of its rows of norm(W x) + norm(R h) + b",
        "c = f * c + i * g                 cell state",
        "h = o * tanh(norm(c))             output; each norm has gains of its own",
    ),
    "gru": (
        "r = σ(W_r x + R_r h + b_r)                   reset gate: how much of the old state the candidate sees",
        "z = σ(W_z x + R_z h + b_z)                   update gate: how much of the old state stays",
        "n = tanh(W_n x + b_n + r * (R_n h + b'_n))   candidate: what may be written",
        "h = (1 - z) * n + z * h                      state and output",
    ),
    "gru_reset_before": (
        "r = σ(W_r x + R_r h + b_r)         reset gate: how much of the old state the candidate sees",
        "z = σ(W_z x + R_z h + b_z)         update gate: how much of the old state stays",
        "n = tanh(W_n x + R_n (r * h) + b_n)   candidate: what may be written",
        "h = (1 - z) * n + z * h            state and output",
    ),
}
