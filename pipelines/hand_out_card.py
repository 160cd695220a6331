"""The card of a model that is handed out: data, licences, figures with intervals, limits, how it was made."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.decoding import DecodingSettings
from common.files import to_json
from common.markdown import code, plain, table
from common.report.decoder import in_words
from common.report.scores import conditions_shown, without_interval
from common.report.wording import caution, level
from common.wording import plural
from pipelines.card_wording import TASKS, UNITS, characters_of, network_of
from pipelines.hand_out_limits import limits, subsets_of, written_of

KINDS = {"audio": "speech", "ocr": "text images"}
NO_VALUE = "–"


@dataclass(frozen=True)
class Making:
    """What the files do not know: how the model and its file are called, and what made it ("" or None: not stated)."""

    name: str
    file: str
    command: str | None
    commit: str
    decoding: DecodingSettings


def card(
    description: Mapping[str, Any],
    metrics: Mapping[str, Any],
    training: Mapping[str, Any],
    confusions: Sequence[tuple[str, str, int]],
    making: Making,
) -> str:
    """Markdown with the front matter that model hubs read.

    Args:
        description, metrics, training: ``bundle.json``, ``metrics.json`` and ``training.json``.
        confusions: (reference, hypothesis, count) of characters, the most frequent first.
    """
    summary = description["summary"]
    kind = KINDS.get(description["modality"], description["modality"])
    parts = [
        _front_matter(description, metrics, making.name),
        f"# {plain(making.name)}: a Glyphone recogniser of {kind}",
        f"{network_of(description['network'])}, {plural(summary['num_parameters'], 'parameter')}, trained with CTC on "
        f"{plural(summary['training_samples'], 'sample')} ({summary['training_units']:,.0f} "
        f"{UNITS[description['unit']]}). {_characters(description['alphabet'], making.decoding)}",
        f"```sh\npython -m pipelines.transcribe {shlex.quote(making.file)} FILES…\n```",
        "## Figures",
        f"Test split: {plural(metrics['samples'], 'sample')} of {plural(metrics['groups'], 'group')}. "
        f"{_decoder(metrics, making.decoding)} {_interval(metrics)}",
        _figures(metrics),
        f"Subsets of the test split:{conditions_shown(metrics.get('by_condition', {}), 'words')[1]}",
        _subsets(metrics, description["unit"]),
        _confidence(metrics),
        "## Limits",
        "\n".join(f"- {each}" for each in limits(description, metrics, confusions, making.decoding)),
        "## Data and licences",
        _data(summary),
        "The corpora have these licences; whoever passes the weights on or uses them looks at what they ask for.",
        "## How it was made",
        _making(description, training, making),
        "## Files",
        "`model.safetensors` (weights), `bundle.json` (alphabet, front end, network, calibration of confidences), "
        "`language/` (decoder's settings, and language models where there are any), `results/` (all figures, counts "
        "first). There is no pickle and no code. `sha256sum --check SHA256SUMS` beside them checks all.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def rate(value: float | None) -> str:
    """A fraction with the digits that a rate of this size deserves; 0 and 1 are written of nothing and all alone."""
    if value is None:
        return NO_VALUE
    text = f"{value:.4f}" if value < 0.1 else f"{value:.3f}"
    if value > 0 and float(text) == 0:
        return "< 0.0001"
    return "> 0.999" if value < 1 and float(text) == 1 else text


def between(part: Mapping[str, Any]) -> str:
    """The interval of a part of the metrics; where all draws are the same, as without an error, there is none."""
    low, high = part.get("low"), part.get("high")
    if low is None or high is None or math.isclose(low, high):
        return NO_VALUE
    return f"{rate(low)} to {rate(high)}"


def _front_matter(description: Mapping[str, Any], metrics: Mapping[str, Any], name: str) -> str:
    task = TASKS.get(description["modality"], "other")
    licences = {each["licence"] for each in _corpora(description["summary"])}
    values = {"wer": metrics["words"]["rate"], "cer": metrics["characters"]["rate"]}
    results = [
        f"          - {{type: {key}, value: {round(value, 6)}}}" for key, value in values.items() if value is not None
    ]
    return "\n".join(
        [
            "---",
            "library_name: glyphone",
            f"pipeline_tag: {task}",
            *(
                ["license: apache-2.0"]
                if licences == {"Apache-2.0"}
                else ["license: other", "license_name: those-of-the-training-data"]
            ),
            "metrics: [wer, cer]",
            "model-index:",
            f"  - name: {to_json(name)}",
            "    results:",
            f"      - task: {{type: {task}}}",
            f"        dataset: {{name: {to_json(f'test split of {name}')}, type: {to_json(name)}}}",
            "        metrics:",
            *results,
            "---",
        ]
    )


def _characters(alphabet: Sequence[str], decoding: DecodingSettings) -> str:
    written = written_of(alphabet, decoding)
    number = plural(len(alphabet), "character")
    if len(written) < len(alphabet):
        number = f"{len(written):,} of the {number} that it has learnt"
    return f"It writes {number}: {characters_of(written)}"


def _decoder(metrics: Mapping[str, Any], decoding: DecodingSettings) -> str:
    """The decoder that was measured; ``hand_out`` has seen to it that the model has the same."""
    if measured := metrics.get("decoder"):
        return f"Decoder: {plain(in_words(measured))}."
    return f"The results are too old to say by which decoder; the model's own: {in_words(decoding.model_dump())}."


def _interval(metrics: Mapping[str, Any]) -> str:
    """How intervals were drawn, and what they do not tell: the sentences of the report."""
    interval, drawn_over = metrics["interval"], metrics["interval"]["drawn_over"]
    sentence = (
        f"Intervals hold {level(interval['confidence'])} of {interval['bootstrap_samples']:,} bootstrap draws of whole "
        f"{drawn_over}. All rates are fractions."
    )
    return " ".join([sentence, *caution(metrics[drawn_over], drawn_over), *without_interval(metrics)])


def _figures(metrics: Mapping[str, Any]) -> str:
    rows = [("", "test", "interval", "counted", "validation")]
    for part, name in (("words", "word error rate"), ("characters", "character error rate")):
        each = metrics[part]
        counted = (
            f"{each['errors']:,} of {each['reference']:,}: {each['substitutions']:,} substituted, "
            f"{each['deletions']:,} left out, {each['insertions']:,} too many"
        )
        rows.append((name, rate(each["rate"]), between(each), counted, rate(metrics["validation"][part]["rate"])))
    for part, name in (("exact", "texts without an error"), ("exact_ignoring_case", "the same, case ignored")):
        each = metrics[part]
        counted = f"{each['hits']:,} of {each['samples']:,}"
        rows.append((name, rate(each["share"]), between(each), counted, rate(metrics["validation"][part]["share"])))
    return table(rows)


def _subsets(metrics: Mapping[str, Any], unit: str) -> str:
    head = ("subset", "samples", "word error rate", "interval", "character error rate", "interval", "exact")
    rows = [head]
    for name, part in subsets_of(metrics, unit):
        words, characters, exact = part["words"], part["characters"], part["exact"]
        share = exact["share"] if isinstance(exact, Mapping) else exact / part["samples"] if part["samples"] else None
        rates = (rate(words["rate"]), between(words), rate(characters["rate"]), between(characters), rate(share))
        rows.append((name, f"{part['samples']:,}", *rates))
    return table(rows) if len(rows) > 1 else ""


def _confidence(metrics: Mapping[str, Any]) -> str:
    measured = (metrics.get("calibration") or {"test": {}})["test"].get("words", {}).get("after", {})
    error = measured.get("expected_calibration_error")
    if error is None:
        return ""
    return f"A word's confidence is off by {error:.3f} on average (expected calibration error on the test split)."


def _corpora(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the training, and of the models that it started from, which may call another corpus by the same name."""
    return [*summary.get("warm_start", {}).get("corpora", {}).values(), *summary["corpora"].values()]


def _data(summary: Mapping[str, Any]) -> str:
    earlier = summary.get("warm_start", {}).get("corpora", {})
    rows = [("corpus", "samples", "licence")]
    for name, corpus in sorted(earlier.items()):
        rows.append((f"{plain(name)} (of the model that it started from)", f"{corpus['samples']:,}", _licence(corpus)))
    for name, corpus in sorted(summary["corpora"].items()):
        rows.append((plain(name), f"{corpus['samples']:,}", _licence(corpus)))
    return table(rows)


def _licence(corpus: Mapping[str, Any]) -> str:
    return plain(corpus["licence"]) or "not stated"


def _making(description: Mapping[str, Any], training: Mapping[str, Any], making: Making) -> str:
    summary = description["summary"]
    rows = [
        ("what", "how"),
        ("command", code(making.command) if making.command else "not stated"),
        ("commit of the code", code(making.commit) if making.commit else "not stated"),
        *_pretraining(training),
        (
            "training",
            f"{plural(summary['epochs'], 'epoch')} in {_minutes(training['seconds'])} on {plain(training['device'])}, "
            f"threads: {training['num_threads']}, {plain(summary['precision'])}; kept: epoch {summary['best_epoch']}, "
            f"lowest character error rate on {plural(summary['validation_samples'], 'validation sample')}",
        ),
        *_adaptations(summary),
        ("parameters", f"{summary['num_parameters']:,}"),
        ("seed", str(summary["seed"])),
        ("front end", code(to_json(description["slice_settings"]))),
        ("network", code(to_json(description["network"]))),
        ("SHA-256 of the list of samples", code(summary["samples_digest"])),
        ("SHA-256 of the weights", code(description["weights_sha256"])),
    ]
    return table(rows)


def _pretraining(training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A row where the training started from weights of a pretraining."""
    if "pretraining_seconds" in training:
        told = {
            "pretraining_epochs": lambda value: plural(value, "epoch"),
            "pretraining_seconds": _minutes,
            "pretraining_samples": lambda value: f"{plural(value, 'sample')} made for it",
            "pretraining_best_epoch": lambda value: f"kept: epoch {value}",
        }
        yield "pre-training", ", ".join(say(training[key]) for key, say in told.items() if key in training)


def _adaptations(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in summary.get("adaptations", ()):
        files, rounds = plural(each["files"], "file"), plural(len(each["rounds"]), "round")
        yield "adaptation", f"to {files} without transcripts, {rounds}; the figures are of the weights after it"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes"
