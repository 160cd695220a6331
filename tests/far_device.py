"""A device in name alone: its tensors compute on the CPU, and none may meet one of the CPU, as on a GPU.

So what stands on the wrong device is found without a GPU; that kernels of a GPU are right, and how fast they are, is
not. As a plugin of pytest: ``GLYPHONE_TEST_DEVICE=far python -m pytest -p tests.far_device tests/test_cuda.py``.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch._dynamo  # it compares what is replaced below with its own
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "far"
# Operations that carry values from one device to another.
CARRIES = ("aten._to_copy.default", "aten.copy_.default")


class Far(Tensor):
    """A tensor that says it is elsewhere; ``near`` [same shape] holds its values."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "Far":
        shape, strides, offset = near.size(), near.stride(), near.storage_offset()
        return Tensor._make_wrapper_subclass(
            cls, shape, strides=strides, storage_offset=offset, dtype=near.dtype, device=f"{NAME}:0"
        )

    def __init__(self, near: Tensor) -> None:
        self.near = near

    def tolist(self) -> Any:
        return self.near.tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:  # as a file of any device is read: onto the CPU
        return self.near.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(operation, args, kwargs or {})


class Everywhere(TorchDispatchMode):
    """Within, what is made on the far device is a ``Far``."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(operation, args, kwargs or {})


def computed(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation's result, on the device that it would have it on. Raises RuntimeError where devices meet."""
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    far = [each for each in tensors if isinstance(each, Far)]
    # Numbers of the CPU, tensors without an axis, are welcome everywhere.
    if far and str(operation) not in CARRIES and any(each.ndim for each in tensors if not isinstance(each, Far)):
        raise RuntimeError(f"{operation}: tensors of the CPU and of another device")
    wanted = kwargs.get("device")
    becomes_far = bool(far) if wanted is None else torch.device(wanted).type == NAME
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    compute = FUSED.get(str(operation), operation)
    found = compute(*tree_map(_near, args), **tree_map(_near, kwargs))
    if far and torch.Tag.inplace_view in operation.tags:  # of a transpose in place the far tensor has other strides too
        with no_dispatch():
            operation(*args, **kwargs)
    same = {id(each.near): each for each in far}
    return tree_map(lambda each: _back(each, same, becomes_far) if isinstance(each, Tensor) else each, found)


def _near(value: Any) -> Any:
    return value.near if isinstance(value, Far) else value


def _back(tensor: Tensor, same: dict[int, Far], becomes_far: bool) -> Tensor:
    """What an operation in place gives back is the very tensor that it was given."""
    return same[id(tensor)] if id(tensor) in same else Far(tensor) if becomes_far else tensor


def _lstm(x: Tensor, rec: Tensor, c: Tensor, bias: Tensor | None = None, other: Tensor | None = None) -> Any:
    gates = x + rec if bias is None or other is None else x + rec + bias + other
    i, f, g, o = gates.chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    new = f * c + i * g
    return o * new.tanh(), new, torch.cat([i, f, g, o], 1)


def _lstm_backward(dh: Tensor | None, dc: Tensor | None, c: Tensor, new: Tensor, gates: Tensor, has_bias: bool) -> Any:
    i, f, g, o = gates.chunk(4, 1)
    squashed, none = new.tanh(), torch.zeros_like(new)
    dh, dc = none if dh is None else dh, none if dc is None else dc
    dc = dc + dh * o * (1 - squashed * squashed)
    parts = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * squashed * o * (1 - o)]
    dgates = torch.cat(parts, 1)
    return dgates, dc * f, dgates.sum(0) if has_bias else torch.empty(0)


def _gru(x: Tensor, rec: Tensor, h: Tensor, bias: Tensor | None = None, other: Tensor | None = None) -> Any:
    if bias is not None and other is not None:
        x, rec = x + bias, rec + other
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, 1), rec.chunk(3, 1)
    r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
    n = (xn + r * hn).tanh()
    return (1 - z) * n + z * h, torch.cat([r, z, n, h, hn], 1)


def _gru_backward(dh: Tensor, kept: Tensor, has_bias: bool) -> Any:
    r, z, n, h, hn = kept.chunk(5, 1)
    dn = dh * (1 - z) * (1 - n * n)
    dz, dr = dh * (h - n) * z * (1 - z), dn * hn * r * (1 - r)
    dx, drec = torch.cat([dr, dz, dn], 1), torch.cat([dr, dz, dn * r], 1)
    return dx, drec, dh * z, dx.sum(0), drec.sum(0)


# What torch computes LSTM and GRU by on devices that are no CPU, and has for none.
FUSED: dict[str, Callable[..., Any]] = {
    "aten._thnn_fused_lstm_cell.default": _lstm,
    "aten._thnn_fused_lstm_cell_backward_impl.default": _lstm_backward,
    "aten._thnn_fused_gru_cell.default": _gru,
    "aten._thnn_fused_gru_cell_backward.default": _gru_backward,
}


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


def _no_grad(mode: Any = True) -> Any:
    """In place of ``torch.inference_mode``, whose tensors no subclass can be made of."""
    return torch.no_grad()(mode) if callable(mode) else torch.no_grad()


# Before any module of Glyphone is imported: some call ``torch.inference_mode`` then.
backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())
_autocast = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
_autocast.fallback(torch.library.fallthrough_kernel)  # it changes nothing
torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…, device=…) then comes by here too
torch._has_compatible_shallow_copy_type = lambda *tensors: False  # a module takes far parameters as new ones
torch.inference_mode = _no_grad  # type: ignore[assignment, misc]

from common import device  # noqa: E402

device.DEVICE_TYPES = (*device.DEVICE_TYPES, NAME)


@pytest.fixture(autouse=True, scope="session")
def _far_tensors() -> Iterator[None]:
    with Everywhere():
        yield
