"""What the training loop needs of a split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.training.stream import Stream


@dataclass(frozen=True)
class Samples:
    """Rows of a split, and what belongs to them.

    Attributes:
        lengths: int64 [N], slices; of a stream's samples an estimate.
        matrices: [T, F] each, in any sequence that gives them one by one.
        groups: speaker, book, …; empty: a corpus is one group.
        stream: what of it is made while training, and stands behind the rest.
    """

    ids: Sequence[str]
    corpora: Sequence[str]
    texts: Sequence[str]
    lengths: np.ndarray
    matrices: Sequence[np.ndarray]
    groups: Sequence[str] = ()
    stream: Stream | None = None
