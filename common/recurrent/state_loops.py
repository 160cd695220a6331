"""What every cell does alike with the state of a row, for the loops of ``*_loops``: zoneout, and the way of gradients.

``keep`` [H] is the share that a unit keeps of its old state (Krueger et al. 2016), of size 0 without zoneout.
"""

from common.decoding.compiled import inlined
from common.recurrent.elementwise import narrow, widen


@inlined
def advance(new, h, operand, keep):
    """Give the state ``new`` [H], zoneout done, to ``h`` and, in the precision of the next product, to ``operand``."""
    H = h.size
    if keep.size > 0:
        for j in range(H):
            new[j] += keep[j] * (h[j] - new[j])
    for j in range(H):
        h[j] = new[j]
    for j in range(H):
        operand[j] = narrow(new[j], operand)


@inlined
def arrive(total, from_above, through_product, besides, keep):
    """Add up in ``total`` [H] the gradients of a state that reach its gates; ``besides`` gets what zoneout hands back.

    Args:
        from_above: of the layer's output.
        through_product: from the step behind, by its product.
        besides: from the step behind, past its product.
    """
    H = total.size
    for j in range(H):
        total[j] = from_above[j] + widen(through_product[j]) + besides[j]
    besides[:] = 0
    if keep.size > 0:
        for j in range(H):
            besides[j] = keep[j] * total[j]
        for j in range(H):
            total[j] -= besides[j]
