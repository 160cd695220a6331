"""Training samples as a step sees them: changed slices, once or, for the consistency of views, twice."""

from collections.abc import Callable, Sequence

import numpy as np

from common.alphabet import needed_slices
from common.modality import generator


def views(
    slices: np.ndarray,
    text: str,
    sample_id: str,
    emitted: Callable[[np.ndarray], np.ndarray],
    augment: Callable[..., np.ndarray],
    seed: int,
    epoch: int,
    num_views: int = 1,
) -> Sequence[np.ndarray]:
    """Views float32 [T', F] of a sample's slices [T, F], all of the same length.

    Where the result would be too short for the text, the slices are used as they are. A second view has the geometry
    of the first, drawn from the same numbers, and a surface of its own (``common.modality.Modality.augment``).

    Args:
        emitted: input lengths [n] → emission slices [n].
    """
    slices = np.asarray(slices, dtype=np.float32)

    def changed(*surface: np.random.Generator) -> np.ndarray:
        return augment(slices, generator(seed, f"augment {epoch}", sample_id), *surface)

    first = changed()
    if int(emitted(np.array([len(first)]))[0]) < needed_slices(text):
        return [slices] * num_views
    others = [generator(seed, f"view {view} {epoch}", sample_id) for view in range(1, num_views)]
    made = [first, *map(changed, others)]
    assert len({len(each) for each in made}) == 1, "views share their geometry"
    return made
