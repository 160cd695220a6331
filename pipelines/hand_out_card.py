"""The card of a model that is handed out: data, licences, figures with intervals, limits, how it was made."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.decoding import DecodingSettings
from common.files import to_json
from pipelines.hand_out_limits import limits, slices_of

TASKS = {"audio": "automatic-speech-recognition", "ocr": "image-to-text"}
KINDS = {"audio": "speech", "ocr": "text images"}
UNITS = {"s": "seconds of sound", "px": "pixels of width"}
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
    summary, alphabet = description["summary"], "".join(description["alphabet"]).replace(" ", "␣")
    kind = KINDS.get(description["modality"], description["modality"])
    groups = "one group" if metrics["groups"] == 1 else f"{metrics['groups']:,} groups"
    parts = [
        _front_matter(description, metrics, making.name),
        f"# {making.name}: a Glyphone recogniser of {kind}",
        f"{_network(description)}, {summary['num_parameters']:,} parameters, trained with CTC on "
        f"{summary['training_samples']:,} samples ({summary['training_units']:,.0f} {UNITS[description['unit']]}). "
        f"It writes {len(alphabet)} characters: {code(alphabet)}",
        f"```sh\npython -m pipelines.transcribe {shlex.quote(making.file)} FILES…\n```",
        "## Figures",
        f"Test split: {metrics['samples']:,} samples of {groups}, decoded with engine "
        f"`{making.decoding.engine}`. {_interval(metrics['interval'])}",
        _figures(metrics),
        "Slices of the test split:",
        _slices(metrics, description["unit"]),
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


def code(text: str) -> str:
    """Text in code marks, whatever stands in it."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def table(rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first row is the head."""
    head, *body = [
        ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"] for row in rows
    ]
    width = head[0].count(" | ") + 1
    return "\n".join([head[0], "|" + "---|" * width, *(row[0] for row in body)])


def rate(value: float | None) -> str:
    """A fraction with the digits that a rate of this size deserves."""
    return NO_VALUE if value is None else f"{value:.4f}" if value < 0.1 else f"{value:.3f}"


def between(part: Mapping[str, Any]) -> str:
    """The interval of a part of the metrics."""
    low, high = part.get("low"), part.get("high")
    return NO_VALUE if low is None or high is None else f"{rate(low)} to {rate(high)}"


def _front_matter(description: Mapping[str, Any], metrics: Mapping[str, Any], name: str) -> str:
    task = TASKS.get(description["modality"], "other")
    licences = {each["licence"] for each in _corpora(description["summary"]).values()}
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


def _network(description: Mapping[str, Any]) -> str:
    network = description["network"]
    sides = "a bidirectional" if network["bidirectional"] else "a one-directional"
    return (
        f"{len(network['convolutions'])} convolutions and {sides} {network['cell']} of {network['num_layers']} layers "
        f"with {network['num_hidden']} units a direction"
    )


def _interval(interval: Mapping[str, Any]) -> str:
    return (
        f"Intervals hold {interval['confidence']:.0%} of {interval['bootstrap_samples']:,} bootstrap draws of whole "
        f"{interval['drawn_over']}. All rates are fractions."
    )


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


def _slices(metrics: Mapping[str, Any], unit: str) -> str:
    head = ("slice", "samples", "word error rate", "interval", "character error rate", "interval", "exact")
    rows = [head]
    for name, part in slices_of(metrics, unit):
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


def _corpora(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Of the training, and of the models that it started from."""
    return {**summary.get("warm_start", {}).get("corpora", {}), **summary["corpora"]}


def _data(summary: Mapping[str, Any]) -> str:
    earlier = summary.get("warm_start", {}).get("corpora", {})
    rows = [("corpus", "samples", "licence")]
    for name, corpus in sorted(earlier.items()):
        rows.append((f"{name} (of the model that it started from)", f"{corpus['samples']:,}", _licence(corpus)))
    for name, corpus in sorted(summary["corpora"].items()):
        rows.append((name, f"{corpus['samples']:,}", _licence(corpus)))
    return table(rows)


def _licence(corpus: Mapping[str, Any]) -> str:
    return corpus["licence"] or "not stated"


def _making(description: Mapping[str, Any], training: Mapping[str, Any], making: Making) -> str:
    summary = description["summary"]
    minutes = training["seconds"] / 60
    rows = [
        ("what", "how"),
        ("command", code(making.command) if making.command else "not stated"),
        ("commit of the code", code(making.commit) if making.commit else "not stated"),
        (
            "training",
            f"{summary['epochs']} epochs in {minutes:.1f} minutes on {training['device']}, threads: "
            f"{training['num_threads']}, {summary['precision']}; kept: epoch {summary['best_epoch']}, the best on "
            f"{summary['validation_samples']:,} validation samples",
        ),
        ("parameters", f"{summary['num_parameters']:,}"),
        ("seed", str(summary["seed"])),
        ("front end", code(to_json(description["slice_settings"]))),
        ("network", code(to_json(description["network"]))),
        ("SHA-256 of the list of samples", code(summary["samples_digest"])),
        ("SHA-256 of the weights", code(description["weights_sha256"])),
    ]
    return table(rows)
