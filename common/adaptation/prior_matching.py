"""Which of a few texts each sample says, where it is known how often they are said: distribution alignment.

A model that mistakes one word of a new speaker for another says the one too often and the other too seldom. Where the
shares of the texts are known, the posteriors are scaled text by text until each has its share, as ReMixMatch does with
the classes of pictures (arXiv 1911.09785), here to the end, by iterative proportional fitting.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import logsumexp

MOST_ROUNDS = 500
# Of a text's share, relative: nearer is not needed.
NEAR = 1e-3


def text_likelihoods(emitted: Sequence[np.ndarray], labels: Sequence[Sequence[int]]) -> np.ndarray:
    """Natural logarithms float64 [N, C] of the probability of each of C texts in N emissions float32 [T, V] each.

    -inf where an emission is too short for a text.
    """
    lengths = torch.tensor([len(each) for each in labels])
    targets = torch.tensor([label for each in labels for label in each])
    rows = []
    for log_probs in emitted:
        if not len(log_probs):
            rows.append(np.full(len(labels), -np.inf))
            continue
        losses = torch.nn.functional.ctc_loss(
            torch.from_numpy(log_probs).double()[:, None].expand(-1, len(labels), -1),
            targets,
            torch.full_like(lengths, len(log_probs)),
            lengths,
            reduction="none",
        )
        rows.append(-losses.numpy())
    return np.stack(rows) if rows else np.zeros((0, len(labels)))


def matched(likelihoods: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Posteriors [N, C] of the texts, each row a distribution, whose means are the texts' shares.

    Args:
        likelihoods: natural logarithms [N, C]; every row has a finite one.
        priors: natural logarithms [C] of how frequent the texts are among each other, up to a constant.
    """
    shares = priors - logsumexp(priors)
    scales = shares.copy()
    for _ in range(MOST_ROUNDS):
        posteriors = likelihoods + scales
        posteriors -= logsumexp(posteriors, axis=1, keepdims=True)
        excess = logsumexp(posteriors, axis=0) - np.log(len(likelihoods)) - shares
        if np.abs(excess).max() < NEAR:
            break
        scales -= np.where(np.isfinite(excess), excess, 0.0)
    return np.exp(posteriors)
