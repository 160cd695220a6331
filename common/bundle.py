"""The model folder: all that transcribing needs, and nothing that can run code."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from common.alphabet import Alphabet, AlphabetError
from common.calibration import UNCALIBRATED, Calibration
from common.errors import GlyphoneError
from common.files import read_json, write_bytes, write_json, write_text
from common.network import Network, NetworkSettings
from common.shapes import Shape, checked

FORMAT_VERSION = 1
# Fields of the description that a Bundle carries as they stand.
FIELDS = ("modality", "slice_settings", "text_settings", "num_features", "step", "unit", "summary")
MAX_REASON = 200  # characters of what torch says of weights that do not fit: it lists them all
WEIGHTS, DESCRIPTION, CARD = "model.safetensors", "bundle.json", "README.md"


class Description(Shape):
    """``bundle.json``."""

    modality: str
    alphabet: list[str]
    slice_settings: dict[str, Any]
    text_settings: dict[str, Any]
    num_features: Annotated[int, Field(ge=1)]
    step: Annotated[float, Field(gt=0)]
    unit: str
    summary: dict[str, Any]
    network: dict[str, Any]
    weights_sha256: str
    calibration: dict[str, Any] | None = None
    augment_settings: dict[str, Any] = Field(default_factory=dict)


class BundleError(GlyphoneError):
    """A model folder is missing, damaged, or of a format that this version does not read."""


@dataclass(frozen=True)
class Bundle:
    """A trained recogniser.

    Attributes:
        network: in evaluation mode, on the CPU.
        alphabet: of its labels.
        modality: name, a key of ``pipelines.modalities``.
        slice_settings, text_settings: sections of the settings it was trained with.
        num_features, step, unit: F, units a slice, and their name (``s`` or ``px``).
        summary: what the training did: epochs, samples, validation errors, corpora, licences.
        calibration: puts the confidences of hypotheses right; of an older bundle it leaves them as they are.
        calibration_errors: what validation data said of it, ``calibration`` of the description; None in older bundles.
        augment_settings: section of the settings it was trained with; empty, which is the defaults, in older bundles.
        weights_sha256: digest of the file of weights.
    """

    network: Network
    alphabet: Alphabet
    modality: str
    slice_settings: dict[str, Any]
    text_settings: dict[str, Any]
    num_features: int
    step: float
    unit: str
    summary: dict[str, Any]
    calibration: Calibration = UNCALIBRATED
    calibration_errors: dict[str, Any] | None = None
    augment_settings: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""

    @property
    def stride(self) -> int:
        """Slices an emission slice stands for."""
        return self.network.stride


def write_bundle(
    folder: str | Path,
    weights: dict[str, Tensor],
    network_settings: NetworkSettings,
    description: dict[str, Any],
    card: str,
) -> None:
    """Write a bundle: weights, ``bundle.json`` and a model card.

    Args:
        description: modality, alphabet, slice_settings, text_settings, num_features, step, unit, summary, and if there
            are any, calibration and augment_settings.
    """
    folder = Path(folder)
    # No metadata in the weights' header: safetensors writes its keys in random order.
    data = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()})
    write_bytes(folder / WEIGHTS, data)
    write_text(folder / CARD, card)
    write_json(
        folder / DESCRIPTION,
        {
            **description,
            "format_version": FORMAT_VERSION,
            "network": network_settings.model_dump(mode="json"),
            "weights_sha256": hashlib.sha256(data).hexdigest(),
        },
    )


def read_description(folder: str | Path) -> dict[str, Any]:
    """``bundle.json`` of a model folder, its format and shape checked; needs none of the weights."""
    folder = Path(folder)
    if not (folder / DESCRIPTION).is_file():
        raise BundleError(f"{folder}: not a model folder, it has no {DESCRIPTION}; train writes one")
    description = read_json(folder / DESCRIPTION)
    version = description.get("format_version") if isinstance(description, dict) else None
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{folder / DESCRIPTION}: format_version is {version!r}, this version of Glyphone reads {FORMAT_VERSION}; "
            "update Glyphone or train the model again"
        )
    try:
        checked(Description, description, folder / DESCRIPTION)
    except GlyphoneError as error:
        raise BundleError(f"not a whole bundle: {error}; train writes it: run that again") from None
    return description


def _check_shapes(weights: Mapping[str, Tensor], settings: NetworkSettings, num_features: int, num_labels: int) -> None:
    """Refuse weights of another size than a description says before a network is made: a stranger's may say anything.

    Raises:
        RuntimeError: what does not fit.
    """
    channels, width, outer = 1, num_features, settings.num_hidden * (2 if settings.bidirectional else 1)
    wanted: dict[str, list[int]] = {"head.weight": [num_labels, outer]}
    for number, block in enumerate(settings.convolutions):
        wanted[f"blocks.{number}.convolution.weight"] = [block.channels, channels, *block.kernel]
        channels = block.channels
        for factor in (block.stride[1], block.pool[1]):
            width = -(-width // factor)
    entry = {"encoder.entry.weight": [outer, channels * width]}
    wanted |= entry if settings.cell == "transformer" else {"encoder.norms.0.weight": [channels * width]}
    for name, shape in wanted.items():
        found = list(weights[name].shape) if name in weights else None
        if found != shape:
            raise RuntimeError(f"{name} has the shape {found}, the network needs {shape}")
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    if len(layers) != settings.num_layers:
        raise RuntimeError(f"there are weights of {len(layers)} layers, the network has {settings.num_layers}")


def read_bundle(folder: str | Path, verify: bool = True) -> Bundle:
    """Load a model folder. Raises BundleError where it is missing, damaged or of another format."""
    folder = Path(folder)
    description = read_description(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise BundleError(f"{folder}: {WEIGHTS} is missing")
    data = path.read_bytes()  # not by safetensors, which opens no path that is not UTF-8
    if verify and hashlib.sha256(data).hexdigest() != description.get("weights_sha256"):
        raise BundleError(f"{path}: the file is damaged, its SHA-256 is not the one in {DESCRIPTION}")
    try:
        alphabet = Alphabet(description["alphabet"], description["text_settings"].get("direction", "ltr"))
        settings = NetworkSettings(**description["network"])
        weights = load(data)
        _check_shapes(weights, settings, description["num_features"], len(alphabet))
        network = Network(settings, description["num_features"], len(alphabet))
        network.load_state_dict(weights)
        return Bundle(
            network=network.eval().requires_grad_(False),
            alphabet=alphabet,
            **{key: description[key] for key in FIELDS},
            calibration=Calibration.of_description(description.get("calibration")),
            calibration_errors=description.get("calibration"),
            augment_settings=description.get("augment_settings", {}),
            weights_sha256=description["weights_sha256"],
        )
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, ("network", *each["loc"]))) for each in error.errors())
        raise BundleError(f"{folder / DESCRIPTION}: not of this version of Glyphone: {keys}; update Glyphone") from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError, AlphabetError) as error:
        sentence = " ".join(str(error).split())[:MAX_REASON]
        raise BundleError(f"{folder}: not a whole bundle: {type(error).__name__}: {sentence}") from None
