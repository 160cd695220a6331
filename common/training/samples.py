"""What the training loop needs of a split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """Rows of a split, and what belongs to them.

    Attributes:
        lengths: int64 [N], slices.
        matrices: [T, F] each, in any sequence that gives them one by one.
        groups: speaker, book, …; empty: a corpus is one group.
    """

    ids: Sequence[str]
    corpora: Sequence[str]
    texts: Sequence[str]
    lengths: np.ndarray
    matrices: Sequence[np.ndarray]
    groups: Sequence[str] = ()
