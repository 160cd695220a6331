"""The short cut from the convolutions to CTC: a head of training alone (Retsinas et al. 2022, arXiv 2404.11339)."""

import torch
from torch import Tensor, nn

KERNEL = 3  # emission slices


class ShortCut(nn.Module):
    """What the front end gives the encoder [B, T', I] → log-probabilities [B, T', V] float32, by one convolution.

    The front end is zero behind a sample's end, as the padding of the convolution is: exact under padding. It gives the
    convolutions a gradient that has not come through the recurrence.
    """

    def __init__(self, num_inputs: int, num_labels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(num_inputs, num_labels, KERNEL, padding=KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.convolution(x.transpose(1, 2)).transpose(1, 2)  # [B, T', I] -> [B, I, T'] and back
        wide = logits if logits.dtype == torch.float64 else logits.float()
        return torch.log_softmax(wide, dim=-1)
