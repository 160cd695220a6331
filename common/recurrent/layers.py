"""One recurrent layer over padded batches, forwards or in both directions."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from common.recurrent import scan
from common.recurrent.cells import TORCH_CELLS, cell, input_part, input_weights, recurrent_matrix, recurrent_part
from common.recurrent.lengths import reversal, reverse
from common.recurrent.recurrence import Keep, State
from common.recurrent.rows import bernoulli

ROWS = 16  # of a step's product where samples must not hang on each other


@dataclass(frozen=True)
class LayerOptions:
    """What a recurrent layer does beside its equations.

    Attributes:
        zoneout: share of units that keep their old state at each step; in evaluation every unit keeps this share of it.
        recurrent_dropout: share of recurrent weights dropped, one choice for all steps (Merity et al. 2017).
        forget_bias: of LSTMs at the start.
    """

    zoneout: float = 0.0
    recurrent_dropout: float = 0.0
    forget_bias: float = 1.0


DEFAULT_OPTIONS = LayerOptions()


class RecurrentLayer(nn.Module):
    """[B, T, F], lengths [B] → [B, T, H], or [B, T, 2 H] in both directions.

    On a GPU cells that torch has run in its fused kernels, on a CPU the LSTM alone, which oneDNN has: two
    unidirectional layers, the second over each sample turned round. Padding stands behind the slices in both, so
    neither sees it, and plain padded input reaches the fused kernels that packed sequences miss on a CPU (measured: 2.8
    to 6.9 times faster in a training step). Other cells, and all with zoneout, run in ``scan``; with torch's loops on a
    CPU a training step of GRU and plain RNN took 1.0 to 3.0 times as long.
    """

    def __init__(
        self,
        kind: str,
        num_inputs: int,
        num_hidden: int,
        bidirectional: bool = True,
        options: LayerOptions = DEFAULT_OPTIONS,
    ) -> None:
        super().__init__()
        self.forwards = cell(kind, num_inputs, num_hidden, options.forget_bias)
        if bidirectional:
            self.backwards = cell(kind, num_inputs, num_hidden, options.forget_bias)
        self.kind = kind
        self.bidirectional = bidirectional
        self.options = options
        self.fused = kind in TORCH_CELLS and not options.zoneout
        self.fused_on_cpu = self.fused and kind == "lstm"
        self.num_outputs = num_hidden * (2 if bidirectional else 1)

    @property
    def directions(self) -> list[nn.Module]:
        return [self.forwards, self.backwards] if self.bidirectional else [self.forwards]

    def _is_fused(self, device_type: str) -> bool:
        return self.fused_on_cpu if device_type == "cpu" else self.fused

    def path(self, device_type: str) -> str:
        """What computes the layer on such a device, in words."""
        if self._is_fused(device_type):
            return {"cpu": "oneDNN", "cuda": "cuDNN"}.get(device_type, "torch's fused kernels")
        return "our compiled loops" if device_type == "cpu" else "torch's operations, step by step"

    def forward(self, x: Tensor, lengths: Tensor, turned: Tensor | None = None) -> Tensor:
        """x [B, T, F] → [B, T, D · H]; rows behind a sample's length hold no meaning.

        ``turned`` is ``reversal(lengths, T)``, given where several layers share it.
        """
        if not self._is_fused(x.device.type):
            return self._scan(x, lengths, None)[0]
        ahead = self._run(self.forwards, x)
        if not self.bidirectional:
            return ahead
        turned = reversal(lengths, x.shape[1]) if turned is None else turned
        back = self._run(self.backwards, reverse(x, turned))
        return torch.cat([ahead, reverse(back, turned)], dim=-1)

    def stream(self, x: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The next part of sequences: x [B, T, F], the state behind the part before → [B, T, H], state [1, B, H].

        Parts one after the other give what the whole gives. The state is that at each sample's own length.
        """
        assert not self.bidirectional, "a layer that looks ahead cannot be streamed"
        return self._scan(x, lengths, state)

    def alone(self, samples: list[Tensor]) -> list[Tensor]:
        """[1, T, F] each → [1, T, D · H] each, every one to the last bit what it is among any others.

        Libraries choose another order of summation for another shape. So products over slices take one sample, and
        those of the steps always ``ROWS`` rows, where a row's result does not depend on its place nor on other rows.
        """
        weights = input_weights(self.kind, self.directions)
        results = []
        for first in range(0, len(samples), ROWS):
            some = samples[first : first + ROWS]
            lengths = torch.tensor([x.shape[1] for x in some] + [0] * (ROWS - len(some)))
            parts = [input_part(x, weights, len(self.directions)) for x in some]
            pre = parts[0].new_zeros(ROWS, int(lengths.max()), *parts[0].shape[2:])
            for row, part in enumerate(parts):
                pre[row, : part.shape[1]] = part[0]
            out, _ = self._recur(pre, lengths)
            results += [out[row : row + 1, : x.shape[1]] for row, x in enumerate(some)]
        return results

    def _matrices(self) -> list[Tensor]:
        matrices = [recurrent_matrix(each) for each in self.directions]
        if not self.training or not self.options.recurrent_dropout:
            return matrices
        return [nn.functional.dropout(matrix, self.options.recurrent_dropout) for matrix in matrices]

    def _run(self, direction: nn.Module, x: Tensor) -> Tensor:
        if self.training and self.options.recurrent_dropout:
            dropped = nn.functional.dropout(recurrent_matrix(direction), self.options.recurrent_dropout)
            return torch.func.functional_call(direction, {"weight_hh_l0": dropped}, (x,))[0]
        return direction(x)[0]

    def _keep(self, x: Tensor, num_hidden: int, dtype: torch.dtype) -> Keep | None:
        share = self.options.zoneout
        if not share:
            return None
        shape = (*x.shape[:2], len(self.directions), num_hidden)
        if not self.training:
            whole = torch.full(shape, share, dtype=dtype, device=x.device)
            return Keep(whole, whole)
        hidden, memory = (bernoulli(shape, share, dtype, x.device) for _ in range(2))
        return Keep(hidden, memory)

    def _scan(self, x: Tensor, lengths: Tensor, state: State | None) -> tuple[Tensor, State]:
        pre = input_part(x, input_weights(self.kind, self.directions), len(self.directions))
        return self._recur(pre, lengths, state)

    def _recur(self, pre: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        weights = recurrent_part(self.kind, self.directions, self._matrices())
        wide = torch.promote_types(weights.matrix.dtype, torch.float32)
        keep = self._keep(pre, weights.matrix.shape[2], wide)
        out, state = scan.recur(self.kind, pre, weights, lengths, state, keep)
        return out.flatten(2), state  # [B, T, D, H] -> [B, T, D · H]
