"""Who wins in each slot, and how sure the vote is of it."""

import math
from collections.abc import Sequence

from common.voting.multiple_alignment import GAP
from common.voting.slots import Slot


def winner(slot: Slot) -> str:
    """The character, or ``GAP``, with the largest sum of confidences.

    Ties go to what the main model says, which is the first; else to what more models say with any confidence, else to
    the smaller code point.
    """
    candidates = {each: _total(slot, each) for each in slot.characters}
    most = max(candidates.values())
    tied = [each for each, total in candidates.items() if total == most]
    if slot.characters[0] in tied:
        return slot.characters[0]
    sure = [each for each, confidence in zip(slot.characters, slot.confidences, strict=True) if confidence > 0]
    return min(tied, key=lambda each: (-sure.count(each), each))


def _total(slot: Slot, character: str) -> float:
    return math.fsum(
        confidence for each, confidence in zip(slot.characters, slot.confidences, strict=True) if each == character
    )


def joint_confidence(votes: Sequence[tuple[bool, float]]) -> float:
    """How sure several models are together, in [0, 1]: of (says so, confidence) pairs.

    The share of all confidence that is for it, times the mean confidence of those, weighted by itself: Σ c² over those
    that say so / Σ c over all. Models of one mind and one confidence leave it as it is, and one of confidence 0 has no
    say. No confidence at all gives 0.
    """
    highest = max(confidence for _, confidence in votes)
    if highest <= 0:
        return 0.0
    # In shares of the highest, so that models of one mind and one confidence leave it as it is to the last bit.
    shares = [(is_for, confidence / highest) for is_for, confidence in votes]
    joint = math.fsum(share**2 for is_for, share in shares if is_for) / math.fsum(share for _, share in shares)
    return min(1.0, highest * joint)


def elect(slots: Sequence[Slot]) -> tuple[str, list[float], list[int]]:
    """The text of the winners, and for each of its characters the confidence and the place among the slots."""
    text, confidences, places = "", [], []
    for place, slot in enumerate(slots):
        character = winner(slot)
        if character != GAP:
            text += character
            pairs = zip(slot.characters, slot.confidences, strict=True)
            confidences.append(joint_confidence([(each == character, confidence) for each, confidence in pairs]))
            places.append(place)
    return text, confidences, places
