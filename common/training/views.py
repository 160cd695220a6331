"""Training samples as a step sees them: changed slices, once or, for the consistency of views, twice."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from common.alphabet import needed_slices
from common.modality import generator
from common.network import Network
from common.training.samples import Samples


def views(
    samples: Samples,
    row: int,
    network: Network,
    augment: Callable[..., np.ndarray],
    seed: int,
    epoch: int,
    num_views: int = 1,
) -> Sequence[np.ndarray]:
    """Views float32 [T', F] of a sample, all of the same length.

    Where the result would be too short for the text, the sample is used as it is. A second view has the geometry of the
    first, drawn from the same numbers, and a surface of its own (``common.modality.Modality.augment``).
    """
    slices = np.asarray(samples.matrices[row], dtype=np.float32)
    sample_id = samples.ids[row]

    def changed(*surface: np.random.Generator) -> np.ndarray:
        return augment(slices, generator(seed, f"augment {epoch}", sample_id), *surface)

    first = changed()
    if int(network.out_lengths(torch.tensor([len(first)]))) < needed_slices(samples.texts[row]):
        return [slices] * num_views
    others = [generator(seed, f"view {view} {epoch}", sample_id) for view in range(1, num_views)]
    made = [first, *map(changed, others)]
    assert len({len(each) for each in made}) == 1, "views share their geometry"
    return made
