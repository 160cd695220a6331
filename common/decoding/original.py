"""The original ctcdecode (github.com/parlance/ctcdecode, 1.0.2 and later) as an engine, where it can be imported."""

import numpy as np

from common.alphabet import BLANK
from common.errors import GlyphoneError

# It sums in float32, whose lowest value marks a prefix without probability; sums of these stay above it.
_LOWEST = -1e5
# Scores from here on are such prefixes, or rows that it never wrote.
_IMPOSSIBLE = 1e5


def search(log_probs: np.ndarray, beam_width: int, num_best: int = 1) -> list[tuple[list[int], float]]:
    """As ``common.decoding.beam.search``, by the package ``ctcdecode`` without its cutoffs.

    Raises:
        GlyphoneError: the package cannot be imported.
    """
    try:
        import ctcdecode
    except ImportError as error:
        raise GlyphoneError(
            f"engine ctcdecode: the package ctcdecode cannot be imported ({error}); engine beam finds the same texts"
        ) from error
    import torch

    num_labels = log_probs.shape[1]
    if not len(log_probs):
        return [([], 0.0)]
    # It wants a character a label; which, makes no difference without a language model.
    decoder = ctcdecode.CTCBeamDecoder(
        [chr(0x4E00 + label) for label in range(num_labels)],
        cutoff_top_n=num_labels,
        cutoff_prob=1.0,
        beam_width=beam_width,
        num_processes=1,
        blank_id=BLANK,
        log_probs_input=True,
    )
    emissions = torch.from_numpy(np.maximum(log_probs, np.float32(_LOWEST)))[None]
    labels, scores, _, lengths = (part[0].tolist() for part in decoder.decode(emissions))
    found: list[tuple[list[int], float]] = []
    for row, score, length in zip(labels[:num_best], scores, lengths, strict=False):
        # Behind its last row stand values that it never wrote.
        if not score < _IMPOSSIBLE or (found and -score > found[-1][1]) or row[:length] in [text for text, _ in found]:
            break
        found.append((row[:length], -score))
    return found or [([], -np.inf)]
