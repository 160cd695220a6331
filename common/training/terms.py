"""The terms of the objective as functions of emissions: log_probs [b, T', V], lengths [b] → a value a row [b].

Each is a sum over a row's own emission slices, so that rows can be computed together or in parts.
"""

import math

import torch
from torch import Tensor

from common.recurrent.lengths import mask_of


def ctc(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """- ln P(target): targets [sum of target_lengths], one row's labels after the other; infinite where none fits."""
    return torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),  # [b, T', V] -> [T', b, V]
        targets,
        lengths,
        target_lengths,
        reduction="none",
    )


def ctc_less_prior(
    log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, shares: Tensor
) -> Tensor:
    """CTC of log_probs - shares, where shares [V] are scaled log priors of the labels.

    Source: Huang et al. 2024, arXiv 2406.02560. The scores of a slice no longer sum to 1, and torch's gradient of CTC
    is right only if they do. A path takes one label a slice, so what normalises the slices goes into the scores and out
    of the loss again.
    """
    scores = log_probs - shares
    total = scores.logsumexp(-1)  # [b, T']
    normal = ctc(scores - total[:, :, None], lengths, targets, target_lengths)
    return normal - _over_slices(total, lengths)


def divergence_from_uniform(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """Σ_t KL(p_t ‖ uniform) (Kim et al. 2018, arXiv 1711.02212)."""
    negative_entropy = (log_probs.exp() * log_probs).sum(-1)
    return _over_slices(negative_entropy + math.log(log_probs.shape[-1]), lengths)


def divergence_of_views(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """Σ_t KL(q_t ‖ p_t) of rows in pairs, 2 i and 2 i + 1, each with the other as q, which gets no gradient.

    Half the sum of a pair is the consistency term of CR-CTC (Yao et al. 2024, arXiv 2410.05101).
    """
    others = log_probs.detach().unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    each = torch.nn.functional.kl_div(log_probs, others, reduction="none", log_target=True)
    return _over_slices(each.sum(-1), lengths)


def _over_slices(values: Tensor, lengths: Tensor) -> Tensor:
    """Values [b, T'] summed over each row's own slices."""
    return values.masked_fill(~mask_of(lengths, values.shape[1]), 0).sum(1)
