"""What training needs of a split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """Rows of a split: matrices [T, F] in any sequence that gives them one by one, and what belongs to them."""

    ids: Sequence[str]
    corpora: Sequence[str]
    texts: Sequence[str]
    lengths: np.ndarray
    matrices: Sequence[np.ndarray]
