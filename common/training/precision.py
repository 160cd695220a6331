"""In which precision a network is trained: found out once, and said in the log."""

import torch

from common.errors import GlyphoneError
from common.training.settings import TrainingSettings


def choose_precision(settings: TrainingSettings, device: torch.device) -> torch.dtype:
    """float32, or bfloat16 where the hardware multiplies it and a recurrent layer runs in it.

    The choice depends on the processor, never on a timing, so the same machine always chooses alike. Processors without
    bfloat16 products would be slower with it, and oneDNN's recurrent kernels raise there.
    """
    if settings.precision == "float32":
        return torch.float32
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    else:
        able = bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()) and _runs_lstm()
    if settings.precision == "bfloat16" and not able:
        raise GlyphoneError("training.precision is bfloat16, which this processor lacks; allowed here: auto, float32")
    return torch.bfloat16 if able else torch.float32


def _runs_lstm() -> bool:
    layer = torch.nn.LSTM(8, 8, batch_first=True)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            layer(torch.zeros(2, 3, 8))[0].sum().backward()
    except RuntimeError:  # "could not create a primitive descriptor"
        return False
    return True
