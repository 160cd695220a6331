"""One sample on its way through a network: what each recurrent layer was given, and what it made of it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from common.explanation.gates import Trace, trace
from common.network import Network
from common.recurrent.layers import RecurrentLayer


@dataclass(frozen=True)
class LayerPassage:
    """One recurrent layer and one sample.

    Attributes:
        layer: the module.
        x, y: its input [T', F] and output [T', D · H], float32, as the network computed them.
    """

    layer: RecurrentLayer
    x: np.ndarray
    y: np.ndarray

    def traces(self) -> dict[str, Trace]:
        """Direction's name → gates and states."""
        names = ("forwards", "backwards")[: len(self.layer.directions)]
        return {
            name: trace(self.layer.kind, direction, self.x, name == "backwards", self.layer.options.zoneout)
            for name, direction in zip(names, self.layer.directions, strict=True)
        }

    def difference(self, traces: dict[str, Trace]) -> float:
        """The largest difference between the network's output and that of the traces."""
        return float(np.abs(np.concatenate([each.hidden for each in traces.values()], 1) - self.y).max())


@torch.inference_mode()
def passages(network: Network, slices: np.ndarray) -> list[LayerPassage]:
    """The recurrent layers over slices [T, F] of one sample; none of a transformer, which has no recurrence."""
    found: list[LayerPassage] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        assert isinstance(module, RecurrentLayer)
        found.append(LayerPassage(module, inputs[0][0].cpu().numpy(), output[0].cpu().numpy()))

    layers = [each for each in network.modules() if isinstance(each, RecurrentLayer)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        device = next(network.parameters()).device
        network(torch.from_numpy(slices)[None].to(device), torch.tensor([len(slices)], device=device))
    finally:
        for handle in handles:
            handle.remove()
    return found
