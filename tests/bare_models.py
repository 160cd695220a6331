"""Model folders with random weights, of both modalities, and a file of each to transcribe."""

from pathlib import Path

import numpy as np
import torch

from common.bundle import write_bundle
from common.network import Network, NetworkSettings
from pipelines.modalities import modality

SYMBOLS = list(" abcdefg")
NETWORK = {"convolutions": [{"channels": 4, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 12}
STEEPNESS = 30  # of the head: enough to write many different letters
SUMMARY = {
    "corpora": {"mine": {"samples": 7, "licence": "CC BY 4.0"}, "voices": {"samples": 3, "licence": ""}},
    "samples_digest": "0" * 64,
    "training_samples": 10,
    "training_units": 123.0,
    "validation_samples": 4,
    "num_parameters": 0,
    "epochs": 9,
    "best_epoch": 7,
    "validation_wer": 0.5,
    "validation_cer": 0.25,
    "seed": 3,
    "precision": "float32",
}


def random_bundle(folder: Path, name: str) -> Path:
    """Write a bundle with random weights; return its folder."""
    torch.manual_seed(3)
    room = modality(name)
    slice_settings = room.SliceSettings()
    num_features = room.num_features(slice_settings)
    settings = NetworkSettings.model_validate(NETWORK)
    network = Network(settings, num_features, len(SYMBOLS) + 1)
    network.head.weight.data *= STEEPNESS
    description = {
        "modality": name,
        "alphabet": SYMBOLS,
        "slice_settings": slice_settings.model_dump(mode="json"),
        "text_settings": {"case": "lower", "replace": {}},
        "num_features": num_features,
        "step": room.step(slice_settings),
        "unit": room.unit,
        "summary": SUMMARY | {"num_parameters": sum(each.numel() for each in network.parameters())},
    }
    write_bundle(folder, network.state_dict(), settings, description, "# Random\n")
    return folder


def write_input(folder: Path, name: str) -> Path:
    """A noise with a rhythm, or a picture with strokes."""
    random = np.random.default_rng(1)
    if name == "audio":
        import soundfile

        rhythm = np.repeat(random.uniform(0.01, 0.5, 30), 400)
        soundfile.write(folder / "noise.wav", random.normal(size=len(rhythm)) * rhythm * 0.3, 8000)
        return folder / "noise.wav"
    import cv2

    picture = np.full((32, 200), 230, np.uint8)
    for left in np.sort(random.integers(5, 190, 14)):
        picture[random.integers(2, 12) : random.integers(18, 30), left : left + random.integers(2, 7)] = 30
    cv2.imwrite(str(folder / "strokes.png"), picture)
    return folder / "strokes.png"
