"""Where a trained network runs."""

from common.errors import GlyphoneError

# Of those that torch knows, the ones that compute and bring results back.
DEVICE_TYPES = ("cpu", "cuda", "mps", "xpu")


def choose_device(name: str, key: str) -> str:
    """``auto`` → CUDA where there is one, else the CPU; any other name is tried out.

    Args:
        key: of the option or setting, for the message.

    Raises:
        GlyphoneError: torch cannot use a device of that name here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    # What is said to be float32 is: cuDNN would else round factors to ten bits (TF32), and emissions be 1e-3 off.
    torch.backends.cudnn.allow_tf32 = False
    try:
        if torch.device(name).type not in DEVICE_TYPES:
            raise GlyphoneError(f"{key} {name!r}: must be auto or one of {', '.join(DEVICE_TYPES)}")
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        # Of a device that this torch was built without it says which of its parts knows which backends: a page.
        absent = "there is none that this torch can use"
        reason = absent if isinstance(error, NotImplementedError) else str(error).splitlines()[0]
        raise GlyphoneError(f"{key} {name!r}: {reason}; auto and cpu always work") from None
    return name
