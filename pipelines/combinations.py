"""Settings that are right alone and do nothing together: a mistake where they ask for something, else told.

What asks for something (a lexicon, hotwords) and cannot act is a mistake. What says how something is done is told,
since whoever switches that off for one run leaves it there; recipes do so with ``language.order`` and ``adaptation``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

Sections = Mapping[str, Any]  # checked sections of a modality by name


@dataclass(frozen=True)
class Rule:
    """Keys of a section that act only where something else is so, and what that is, in words."""

    section: str
    keys: tuple[str, ...]
    acts: Callable[[Sections], bool]
    needs: str


def _of_training(section: str) -> tuple[Rule, ...]:
    return (
        Rule(section, ("joined_slices", "joined_gap"), lambda all_: all_[section].joined > 0, f"{section}.joined"),
        Rule(section, ("mixup_alpha",), lambda all_: all_[section].mixup > 0, f"{section}.mixup"),
        Rule(
            section,
            ("intermediate_weight",),
            lambda all_: bool(all_["network"].intermediate_layers),
            "network.intermediate_layers",
        ),
    )


RULES = (
    Rule("decoding", ("beam_width",), lambda all_: all_["decoding"].engine != "greedy", "an engine other than greedy"),
    Rule(
        "decoding",
        ("alpha", "beta", "beam_margin", "unknown_score"),
        lambda all_: all_["decoding"].engine == "beam_lm",
        "decoding.engine beam_lm",
    ),
    Rule("language", ("unit",), lambda all_: all_["decoding"].engine == "beam_lm", "decoding.engine beam_lm"),
    Rule(
        "tune",
        ("alphas", "betas", "beam_widths"),
        lambda all_: all_["decoding"].engine == "beam_lm",
        "decoding.engine beam_lm",
    ),
    Rule(
        "tune",
        ("rescoring_weights", "length_bonuses"),
        lambda all_: all_["decoding"].rescoring is not None,
        "decoding.rescoring",
    ),
    Rule(
        "tune",
        ("errors",),
        lambda all_: all_["decoding"].engine == "beam_lm" or all_["decoding"].rescoring is not None,
        "decoding.engine beam_lm or decoding.rescoring",
    ),
    Rule("evaluate", ("voting", "gap_weight"), lambda all_: bool(all_["evaluate"].voters), "evaluate.voters"),
    Rule(
        "evaluate",
        ("gap_weight",),
        lambda all_: not all_["evaluate"].voters or all_["evaluate"].voting == "confidences",
        "evaluate.voting confidences",
    ),
    Rule("network", ("num_heads",), lambda all_: all_["network"].cell == "transformer", "network.cell transformer"),
    Rule("network", ("forget_bias",), lambda all_: all_["network"].is_lstm, "an LSTM as network.cell"),
    Rule("slices", ("num_mels",), lambda all_: all_["slices"].kind != "linear", "slices.kind logmel or mfcc"),
    Rule("slices", ("num_mfcc",), lambda all_: all_["slices"].kind == "mfcc", "slices.kind mfcc"),
    Rule("slices", ("clip_percent",), lambda all_: all_["slices"].contrast == "stretch", "slices.contrast stretch"),
    *_of_training("training"),
    *_of_training("pretraining"),
)


def mistakes(checked: Sections) -> Iterator[str]:
    """``key: value: sentence`` of what asks for something that nothing does; sections with mistakes are None."""
    if checked["pretraining"] is not None and checked["training"] is not None:
        yield from _starts(checked["pretraining"], checked["training"])
    decoding, language = checked["decoding"], checked["language"]
    if decoding is not None and checked["text"] is not None:
        yield from _unwritable(decoding, checked["text"])
    if decoding is None or language is None:
        return
    engine = decoding.engine
    if engine == "ctcdecode" and find_spec("ctcdecode") is None:
        yield "decoding.engine: 'ctcdecode': its package is not installed; engine beam finds the same texts"
    if engine == "greedy" and decoding.num_alternatives:
        yield f"decoding.num_alternatives: {decoding.num_alternatives}: engine greedy finds one text; allowed: 0"
    if engine != "beam_lm":
        only = f"engine {engine} knows no words; only beam_lm does"
        if decoding.hotwords:
            yield f"decoding.hotwords: {decoding.hotwords!r}: {only}"
        if decoding.lexicon != "none":
            yield f"decoding.lexicon: {decoding.lexicon!r}: {only}"
    elif language.unit == "none":
        if decoding.lexicon != "none":
            yield f"decoding.lexicon: {decoding.lexicon!r}: the language model has no words; set language.unit"
        elif not decoding.hotwords:
            yield "decoding.engine: 'beam_lm': there is no language model (language.unit is none) and no hotwords"
    if decoding.rescoring is not None and language.characters is None:
        yield "decoding.rescoring: there is no character model to rescore with; set language.characters"
    if language.text and language.unit == "none" and language.characters is None:
        yield f"language.text: {language.text!r}: nothing learns from it; set language.unit or language.characters"


def _unwritable(decoding: Any, text: Any) -> Iterator[str]:
    """What decoding asks for and no model can write whose texts are as section text leaves them."""
    if decoding.hotwords and text.direction == "rtl":
        yield f"decoding.hotwords: {decoding.hotwords!r}: not for lines that read from right to left; allowed: {{}}"
    turned = {"lower": str.lower, "upper": str.upper}.get(text.case, str)
    put_in = set("".join(text.replace.values()))
    for key, asked in (("hotwords", "".join(decoding.hotwords)), ("whitelist", decoding.whitelist or "")):
        if lost := sorted({each for each in asked if turned(each) != each} - put_in):
            yield f"decoding.{key}: {' '.join(lost)}: text.case {text.case} leaves no such characters"


def _starts(pretraining: Any, training: Any) -> Iterator[str]:
    """What pretraining and training cannot start from."""
    for key, what in (("draw", "read samples"), ("new_characters", "model"), ("warm_start", "model")):
        if given := getattr(pretraining, key):
            yield f"pretraining.{key}: {given!r}: it has made samples and fresh weights, no {what} that this is of"
    if training.warm_start and pretraining.stream.samples:
        yield f"training.warm_start: {training.warm_start!r}: pretraining gives a model to start from; one of the two"
    if training.new_characters and not training.warm_start and not pretraining.stream.samples:
        yield f"training.new_characters: {training.new_characters!r}: needs training.warm_start, what they start from"


def idle(checked: Sections) -> Iterator[tuple[str, str]]:
    """(section, sentence) of values that are not the defaults and change nothing; all sections without mistakes."""
    for rule in RULES:
        section = checked[rule.section]
        fields = type(section).model_fields
        # Slices of sound have other keys than those of pictures.
        own = [key for key in rule.keys if key in fields]
        changed = [key for key in own if getattr(section, key) != fields[key].default]
        if changed and not rule.acts(checked):
            given = ", ".join(f"{rule.section}.{key} {getattr(section, key)!r}" for key in changed)
            yield rule.section, f"{given}: without effect, needs {rule.needs}"
