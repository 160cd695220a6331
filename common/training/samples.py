"""What the training loop needs of a split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.training.stream import Stream


@dataclass(frozen=True)
class Samples:
    """Matrices [T, F], any sequence that gives them one by one, and their rows.

    Attributes:
        lengths: int64 [N], slices; of a stream's samples an estimate.
        stream: what of it is made while training, and stands behind the rest.
    """

    ids: Sequence[str]
    corpora: Sequence[str]
    texts: Sequence[str]
    lengths: np.ndarray
    matrices: Sequence[np.ndarray]
    stream: Stream | None = None
