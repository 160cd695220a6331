"""What the training loop needs of a split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """A split: matrices [T, F], any sequence that gives them one by one, and their rows.

    ``groups`` (speaker, book, …) may be left empty: then a corpus is one group.
    """

    ids: Sequence[str]
    corpora: Sequence[str]
    texts: Sequence[str]
    lengths: np.ndarray
    matrices: Sequence[np.ndarray]
    groups: Sequence[str] = ()
