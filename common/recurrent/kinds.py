"""What cells are of a kind; a file of its own, since checking settings must not import torch."""

LSTMS = ("lstm", "peephole_lstm", "cifg", "layer_norm_lstm")  # remember a cell state beside the hidden one
