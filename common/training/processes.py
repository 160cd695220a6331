"""Several processes that train one network: what they say to each other."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import GlyphoneError
from common.training.launch import LIFELINE, LOST, RENDEZVOUS, hold_on_to_launcher

# Validation is done by one process while the others wait; one that dies is noticed at once, by its closed connections.
PATIENCE = timedelta(hours=24)


@dataclass(frozen=True)
class Group:
    """The processes of a training; all call the same methods in the same order.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are; 1 talks to nobody.
        device: where what they exchange must lie.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place; the same bits for each."""
        if self.size > 1:
            self._call("all_reduce", tensor)
        return tensor

    def largest(self, number: int) -> int:
        if self.size == 1:
            return number
        numbers = torch.zeros(self.size, dtype=torch.int64, device=self.device)
        numbers[self.rank] = number
        return int(self.sum(numbers).max())

    def tell(self, value: Any) -> Any:
        """What process 0 gave, to all; a value that can be pickled."""
        values = [value]
        if self.size > 1:
            self._call("broadcast_object_list", values, 0, device=self.device)
        return values[0]

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Gradients summed over all processes, in one exchange."""
        if self.size == 1:
            return
        parameters = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
        whole = self.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for parameter, gradient, part in zip(
            parameters, gradients, whole.split([gradient.numel() for gradient in gradients]), strict=True
        ):
            parameter.grad = gradient.copy_(part.view(gradient.shape))

    def _call(self, name: str, *arguments: Any, **options: Any) -> None:
        try:
            getattr(torch.distributed, name)(*arguments, **options)
        except RuntimeError as error:
            if LIFELINE in os.environ:
                os._exit(LOST)
            # gloo and nccl say it in many words; what a person needs to know is that one is gone.
            raise GlyphoneError(
                f"process {self.rank + 1} of {self.size} lost another process of this training: "
                f"{str(error).splitlines()[0]}; start the same command again to go on"
            ) from None


ALONE = Group()


def leave(group: Group) -> None:
    """After it, the process may end whenever it likes."""
    if group.size > 1:
        torch.distributed.destroy_process_group()


def is_first() -> bool:
    """Whether this process is the one that writes results."""
    return num_processes() == 1 or os.environ.get("RANK", "0") == "0"


def num_processes() -> int:
    """Raises GlyphoneError where the environment says no number."""
    told = os.environ.get("WORLD_SIZE", "1")
    if not told.isdecimal():
        raise GlyphoneError(f"WORLD_SIZE is {told!r} in the environment; allowed: what torchrun sets, or unset")
    return max(1, int(told))


def join(device: torch.device) -> Group:
    """The group that torchrun's environment variables name; ``ALONE`` where they name none or one.

    Args:
        device: where this process computes; a CUDA device without a number becomes the one of ``LOCAL_RANK``.

    Raises:
        GlyphoneError: they say half of it, as where a shell keeps ``WORLD_SIZE`` of another program.
    """
    if num_processes() == 1:
        return ALONE
    meeting = os.environ.get(RENDEZVOUS)
    needed = ("RANK",) if meeting else ("RANK", "MASTER_ADDR", "MASTER_PORT")
    if missing := [each for each in needed if not os.environ.get(each)]:
        raise GlyphoneError(
            f"WORLD_SIZE is {num_processes()} in the environment, which has no {', '.join(missing)}; start it by "
            "torchrun, which sets all of them, or unset WORLD_SIZE"
        )
    if device.type == "cuda":
        place, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if place >= count:
            raise GlyphoneError(f"training.processes: there are {count} GPUs, a process needs one of its own")
        device = torch.device("cuda", place)
        torch.cuda.set_device(device)
    hold_on_to_launcher()
    # Not as an address file://…, whose escapes torch leaves: behind a blank in it the processes would wait for ever.
    torch.distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=torch.distributed.FileStore(meeting, num_processes()) if meeting else None,
        rank=int(os.environ["RANK"]),
        world_size=num_processes(),
        timeout=PATIENCE,
    )
    return Group(torch.distributed.get_rank(), torch.distributed.get_world_size(), str(device))
