"""The confusion network of several hypotheses: slot by slot, what each model says and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from common.decoding.hypothesis import Hypothesis
from common.voting.multiple_alignment import GAP, PARTS, align_texts


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of the text.

    Attributes:
        characters: [N] of each model, ``GAP`` where it says that there is none.
        confidences: [N] of each model in what it says, not negative.
    """

    characters: tuple[str, ...]
    confidences: tuple[float, ...]


def slots_of(hypotheses: Sequence[Hypothesis], gap_weight: float = 1.0) -> list[Slot]:
    """The slots of N hypotheses, the main model's first; the order of the others makes no difference.

    Texts are laid against each other from the main model's on, then those of which their models are surest; so one
    without any confidence moves none of the others. Models that say the same are one text.

    Args:
        gap_weight: a gap's confidence is this times the mean of the characters' beside it in the same hypothesis; of an
            empty one, times its own confidence.
    """
    texts = [text_of(each) for each in hypotheses]
    weights: dict[str, float] = {}
    for text in texts:
        if text not in weights:
            sure = [_certainty(each) for each, other in zip(hypotheses, texts, strict=True) if other == text]
            weights[text] = math.fsum(sure)
    main, *others = weights
    order = [main, *sorted(others, key=lambda text: (-round(weights[text] * PARTS), text))]
    rows = dict(zip(order, align_texts(order, [weights[text] for text in order]), strict=True))
    columns = [
        _confidences(each, rows[text], gap_weight) for each, text in zip(hypotheses, texts, strict=True)
    ]  # [N][S]
    return [
        Slot(tuple(rows[text][place] for text in texts), tuple(column[place] for column in columns))
        for place in range(len(rows[main]))
    ]


def text_of(hypothesis: Hypothesis) -> str:
    """The characters as the decoder wrote them, white space not folded."""
    return "".join(symbol.text for symbol in hypothesis.symbols)


def _certainty(hypothesis: Hypothesis) -> float:
    confidences = [symbol.confidence for symbol in hypothesis.symbols]
    return math.fsum(confidences) / len(confidences) if confidences else hypothesis.confidence


def _confidences(hypothesis: Hypothesis, row: Sequence[str], gap_weight: float) -> list[float]:
    """[S] of one model, whose characters stand in ``row``."""
    symbols = hypothesis.symbols
    confidences = []
    num_before = 0
    for character in row:
        if character == GAP:
            beside = [each.confidence for each in symbols[max(0, num_before - 1) : num_before + 1]]
            mean = math.fsum(beside) / len(beside) if beside else hypothesis.confidence
            confidences.append(gap_weight * mean)
        else:
            confidences.append(symbols[num_before].confidence)
            num_before += 1
    return confidences
