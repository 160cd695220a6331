"""Several texts side by side: characters that mean the same place share a slot.

The alignment is built text by text, as in ROVER (Fiscus 1997, "A post-processing system to yield reduced word error
rates"), over characters. A text is laid against all that came before it at once, so that the sum of its weighted edits
to each of them is least.
"""

from collections.abc import Sequence

import numpy as np

from common.decoding.compiled import compiled

GAP = ""
# Weights are whole numbers of these parts: sums are exact, so ties are ties on every machine.
PARTS = 1_000_000
_BOTH, _GAP, _NEW = 0, 1, 2


def align_texts(texts: Sequence[str], weights: Sequence[float]) -> list[list[str]]:
    """Rows of equal length, a text each: its characters in order, and ``GAP`` where it has none.

    Of equally good places for a text, substitutions go before gaps. No slot is a gap in all rows. Takes a byte for each
    pair of a slot and a character of a text.

    Args:
        texts: [N ≥ 1], laid in this order.
        weights: [N] ≥ 0: what differing from a text costs those that come after it.
    """
    symbols = [GAP, *sorted(set("".join(texts)))]
    number_of = {symbol: number for number, symbol in enumerate(symbols)}
    coded = [np.array([number_of[character] for character in text], np.int64) for text in texts]
    units = [round(weight * PARTS) for weight in weights]
    rows = coded[:1]
    for place, codes in enumerate(coded[1:], 1):
        num_slots = len(rows[0])
        support = np.zeros((num_slots, len(symbols)), np.int64)
        for row, unit in zip(rows, units, strict=False):
            support[np.arange(num_slots), row] += unit
        steps = _path(codes, support, sum(units[:place]))
        before, now = steps != _NEW, steps != _GAP
        rows = [_spread(row, before) for row in rows]
        rows.append(_spread(codes, now))
    return [[symbols[code] for code in row.tolist()] for row in rows]


def _spread(codes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Codes at the slots that are ``where``, gaps at the others."""
    row = np.zeros(len(where), np.int64)
    row[where] = codes
    return row


@compiled
def _path(codes, support, total):
    """Steps [S'] of the cheapest way through slots [S] and a text [L]: both go on, the text has a gap, a slot is new.

    support: [S, A] weight of each symbol in each slot, the gap is symbol 0; total: of all symbols of a slot.
    """
    num_slots, length = support.shape[0], len(codes)
    before = np.arange(length + 1) * total
    cost = np.zeros(length + 1, np.int64)
    moves = np.full((num_slots + 1, length + 1), _NEW, np.uint8)
    for i in range(1, num_slots + 1):
        skipped = total - support[i - 1, 0]
        cost[0] = before[0] + skipped
        moves[i, 0] = _GAP
        for j in range(1, length + 1):
            least, move = before[j - 1] + total - support[i - 1, codes[j - 1]], _BOTH
            if before[j] + skipped < least:
                least, move = before[j] + skipped, _GAP
            if cost[j - 1] + total < least:
                least, move = cost[j - 1] + total, _NEW
            cost[j] = least
            moves[i, j] = move
        before, cost = cost, before
    steps = np.zeros(num_slots + length, np.uint8)
    count, i, j = 0, num_slots, length
    while i > 0 or j > 0:
        move = moves[i, j]
        steps[count] = move
        count += 1
        if move != _NEW:
            i -= 1
        if move != _GAP:
            j -= 1
    return steps[:count][::-1].copy()
