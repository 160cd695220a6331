"""Learning rate by step."""

import math

from common.training.settings import TrainingSettings


def learning_rate(step: int, num_steps: int, settings: TrainingSettings) -> float:
    """Linear warm-up to the peak, then half a cosine down to the final rate (Loshchilov and Hutter 2017)."""
    warmup = max(1, round(num_steps * settings.warmup_share))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, num_steps - warmup))
    low, high = settings.final_learning_rate, settings.learning_rate
    return low + (high - low) * (1 + math.cos(math.pi * progress)) / 2
