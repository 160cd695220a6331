"""Models that vote with a main one, loaded and checked against it."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.bundle import Bundle, read_bundle
from common.decoding.decoder import Decoder, chosen_settings, decoder_of
from common.emissions import emissions
from common.errors import GlyphoneError
from common.text import TextSettings
from common.tuned_calibration import calibrated_for
from common.voting.poll import Method, Poll, Voter
from common.wording import listed
from pipelines.stage_settings import EvaluateSettings
from pipelines.voter_folders import voter_folders, voters_key


@dataclass(frozen=True)
class Voters:
    """The models beside the main one, and the poll of all.

    Attributes:
        names: of their folders or archives, as the user wrote them.
        bundles: their networks, on the main model's device.
        decoders: how each of them decodes.
        poll: the main model, then they.
    """

    names: tuple[str, ...]
    bundles: tuple[Bundle, ...]
    decoders: tuple[Decoder, ...]
    poll: Poll

    def emissions(
        self, matrices: Sequence[Iterable[np.ndarray]], batch_slices: int = 16_000
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """Log-probabilities [T', V] of a sample by each of them; ``matrices`` has the slices for each, [T, F]."""
        return zip(
            *(
                emissions(bundle.network, each, batch_slices, exact=True)
                for bundle, each in zip(self.bundles, matrices, strict=True)
            ),
            strict=True,
        )


def voters_of(name: str, settings: EvaluateSettings, main: Bundle, decoder: Decoder) -> Voters | None:
    """Those that section ``evaluate`` of modality ``name`` names; None where it names none. Raises as below.

    Says which of them were trained on other samples or splits: they may have learnt what they are tested on here.
    """
    if not settings.voters:
        return None
    key, method, gap_weight = voters_key(name), settings.voting, settings.gap_weight
    with voter_folders(settings.voters, name) as folders:
        voters = load_voters(settings.voters, folders, main, decoder, method, gap_weight, same_slices=True, key=key)
    for voter, bundle in zip(voters.names, voters.bundles, strict=True):
        if bundle.summary.get("samples_digest") != main.summary.get("samples_digest"):
            print(
                f"{key}: {voter}: was trained on another list of samples, or splits by another seed: if test samples "
                "are among its training samples, the vote's figures flatter",
                file=sys.stderr,
                flush=True,
            )
    return voters


def load_voters(
    names: Sequence[str],
    folders: Sequence[Path],
    main: Bundle,
    decoder: Decoder,
    method: Method = "confidences",
    gap_weight: float = 1.0,
    same_slices: bool = False,
    key: str = "voters",
) -> Voters:
    """Read the models; each decodes as stage tune chose for it, with the whitelist of the main model's decoder.

    Args:
        names: of the folders, for messages and tables.
        main, decoder: the main model, on its device, and its decoder.
        same_slices: the models must read the main model's slices, as with method ``emissions`` they must anyway.
        key: of the setting or option that names them, for messages.

    Raises:
        GlyphoneError: no model folder, one that does not fit the main model, or one that would vote twice.
    """
    bundles, decoders, voters = [], [], [Voter(main.alphabet, decoder, main.calibration)]
    owners = {main.weights_sha256: "the model that it would vote with"}
    for name, folder in zip(names, folders, strict=True):
        decoding = chosen_settings(folder)
        bundle = calibrated_for(read_bundle(folder), folder, decoding)
        if fault := _misfit(bundle, main, method, same_slices):
            raise GlyphoneError(f"{key}: {name}: {fault}")
        if bundle.weights_sha256 in owners:  # a copy, under whatever name
            owner = owners[bundle.weights_sha256]
            raise GlyphoneError(f"{key}: {name}: has the weights of {owner}, and a model votes once; name other models")
        owners[bundle.weights_sha256] = name
        if (allowed := decoder.settings.whitelist) is not None:
            known = "".join(each for each in allowed if not bundle.alphabet.unknown(each))
            if not known.strip() and allowed.strip():  # all that it could say is nothing
                raise GlyphoneError(f"{key}: {name}: writes none of the whitelist {allowed!r}; leave it out")
            decoding = decoding.model_copy(update={"whitelist": known})
        bundle.network.to(next(main.network.parameters()).device)
        bundles.append(bundle)
        decoders.append(decoder_of(folder, bundle.alphabet, decoding))
        voters.append(Voter(bundle.alphabet, decoders[-1], bundle.calibration))
    return Voters(tuple(names), tuple(bundles), tuple(decoders), Poll(tuple(voters), method, gap_weight))


def _misfit(bundle: Bundle, main: Bundle, method: Method, same_slices: bool) -> str:
    """Why the model cannot vote with the main one; "" where it can."""
    if bundle.modality != main.modality:
        return f"a model of modality {bundle.modality!r}, the main model's is {main.modality!r}"
    theirs, ours = TextSettings(**bundle.text_settings), TextSettings(**main.text_settings)
    if theirs != ours:
        return f"normalises text otherwise than the main model: {_said(theirs)}, not {_said(ours)}"
    if (same_slices or method == "emissions") and (
        (bundle.num_features, bundle.slice_settings) != (main.num_features, main.slice_settings)
    ):
        return f"trained on other slices than the main model: {_otherwise(bundle, main)}"
    if method == "emissions" and bundle.alphabet != main.alphabet:
        return "voting 'emissions' needs the main model's alphabet, and this one has another; 'confidences' does not"
    if method == "emissions" and bundle.stride != main.stride:
        return (
            f"voting 'emissions' needs the main model's stride of {main.stride} slices, not {bundle.stride}; "
            "'confidences' does not"
        )
    return ""


def _otherwise(bundle: Bundle, main: Bundle) -> str:
    """``num_mels 40, not 80``: of slices, what differs from the main model's, by the settings' names."""
    if bundle.slice_settings == main.slice_settings:
        return f"{bundle.num_features} features, not {main.num_features}"
    names = sorted({**main.slice_settings, **bundle.slice_settings})
    pairs = [(name, *(each.slice_settings.get(name) for each in (bundle, main))) for name in names]
    return listed([f"{name} {theirs!r}, not {ours!r}" for name, theirs, ours in pairs if theirs != ours])


def _said(settings: TextSettings) -> str:
    return f"case {settings.case!r}, replace {settings.replace}, direction {settings.direction!r}"
