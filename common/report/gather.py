"""Sources → the content of the page."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from common.comparison.compare import compare
from common.comparison.runs import Run, run_of
from common.errors import GlyphoneError
from common.files import to_json
from common.report import samples
from common.report.charts import Bar, Curve, histogram, line_chart, stacked_bar
from common.report.comparison import ComparisonView, view
from common.report.confidence import calibration_charts
from common.report.content import Chart, Content, Figure, RejectionGroup
from common.report.facts import facts
from common.report.scores import ADAPTED, bar_of, headline, limit_of, subset_tables, vote_name, without_interval
from common.report.sources import Sources
from common.report.wording import caution, level, percent, short
from common.samples import REASONS, SPLITS, Rejection
from common.wording import count, plural

NAMES = {"audio": "speech", "ocr": "text images"}
RECOGNISERS = {"audio": "Speech recogniser", "ocr": "Text image recogniser"}
UNITS = {"s": "seconds", "px": "pixels of width"}
LOSSES = (
    "Training is all that the training minimises, on augmented samples and with terms beside CTC where the settings "
    "ask for them, so it may be negative; validation is plain CTC of the averaged weights."
)
MAX_CHANGED = 30  # samples of each kind that a comparison shows
MAX_REJECTED_IDS = 20  # a row of the table of rejected samples


def gather(
    sources: Sources,
    modality: str,
    recipe: str,
    num_worst: int,
    seed: int,
    settings: Mapping[str, Mapping[str, Any]],
    other: Run | None = None,
) -> Content:
    """Everything that the page says.

    Args:
        recipe: name in ``recipes``; empty where the settings came from elsewhere.
        num_worst: samples shown with sound or picture.
        seed: of the samples drawn at random.
        settings: sections of ``params.yaml`` that the model folder does not hold, ``decoding`` among them.
        other: a run on the same samples to compare this one with.
    """
    settings = {**settings, "decoding": _decoding(sources, settings["decoding"])}
    figures = headline(sources.metrics)
    limits = [limit_of([each]) if each.hits is None else 1.0 for each in figures]
    # What prepare rejects for its id or text is no test sample; what it cannot read, extract rejects as well.
    unread = [each for each in sources.rejections if (each.stage, each.split) == ("extract", "test")]
    reasons = {each.id: each.sentence for each in unread}
    shown = samples.scored(sources.hypotheses, reasons)
    worst, drawn = samples.with_previews(samples.pick(shown, num_worst, seed), sources.preview)
    summary = sources.bundle["summary"]
    name = recipe or ", ".join(summary["corpora"])
    return Content(
        modality=NAMES.get(modality, modality),
        title=f"{RECOGNISERS.get(modality, f'Recogniser for {modality}')}: {name}",
        subtitle=_subtitle(sources),
        facts=facts(sources, settings["decoding"]),
        interval_name=f"{level(sources.metrics['interval']['confidence'])} interval",
        remarks=_remarks(sources.metrics, len(reasons)),
        figures=figures,
        bars=[bar_of(each, limit) for each, limit in zip(figures, limits, strict=True)],
        limits=[percent(limit, 0) for limit in limits],
        splits=[_split(each) for each in figures],
        subset_tables=subset_tables(sources.metrics, sources.bundle["unit"]),
        learning=_learning(sources.history, summary["best_epoch"]),
        epoch_columns=[column.replace("_", " ") for column in sources.history[0]] if sources.history else [],
        epochs=[[short(value, 4) for value in row.values()] for row in sources.history],
        chosen_epoch=summary["best_epoch"],
        calibration=calibration_charts(sources.metrics),
        lengths=_lengths(sources.lengths, UNITS.get(sources.bundle["unit"], sources.bundle["unit"])),
        worst=worst,
        num_wrong=sum(each.character_errors > 0 for each in shown),
        random=drawn,
        confusions=samples.character_confusions(shown),
        missed=samples.missed_words(shown),
        rejections=rejection_groups(sources.rejections),
        findings=sources.findings,
        settings=_settings(sources, settings),
        commands=_commands(modality),
        comparison=_comparison(sources, other, seed) if other else None,
        compare_command=f"python -m pipelines.compare OTHER results/{modality}",
        table=samples.table_rows(shown),
        num_table=len(shown),
    )


def _subtitle(sources: Sources) -> str:
    summary, unit = sources.bundle["summary"], sources.bundle["unit"]
    corpora = list(summary["corpora"])
    sources_named = corpora[0] if len(corpora) == 1 else f"{len(corpora)} corpora"
    what = {"s": "sound", "px": "pictures of text"}.get(unit, "slices")
    return (
        f"Turns {what} into text. Trained on {plural(summary['training_samples'], 'sample')} of {sources_named}, "
        f"measured on {plural(sources.metrics['samples'], 'test sample')} "
        f"of {plural(sources.metrics['groups'], 'group')}."
    )


def _decoding(sources: Sources, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stage evaluate decoded with: where stage tune had something to choose, its choice."""
    is_tuned = asked["engine"] == "beam_lm" or bool(asked.get("rescoring"))
    return sources.decoding if is_tuned and sources.decoding else asked


def _remarks(metrics: dict[str, Any], num_unread: int) -> list[str]:
    drawn_over = metrics["interval"]["drawn_over"]
    remarks = [
        "Rates are pooled: the errors of all samples over the units of all references. Intervals are drawn by a "
        f"bootstrap over {drawn_over}, {plural(metrics['interval']['bootstrap_samples'], 'time')}.",
        *caution(metrics[drawn_over], drawn_over),
        *without_interval(metrics),
    ]
    if metrics["one_minus_ned"] is not None:
        remarks.append(
            f"Mean 1-N.E.D., the similarity of texts of ICDAR's contests: {percent(metrics['one_minus_ned'])}."
        )
    validation = metrics.get("validation")
    if validation and validation["samples"]:
        parts = ", ".join(f"{each.short_name} {each.text}" for each in headline(validation)[:3])
        remarks.append(f"On the {plural(validation['samples'], 'validation sample')}, which chose the epoch: {parts}.")
    beside = []
    if vote := metrics.get("vote"):
        beside.append((f"a {vote_name(vote)} by {vote['method']}", vote))
    if adapted := metrics.get("adapted"):
        beside.append((ADAPTED, adapted))
    for what, tree in beside:
        parts = ", ".join(f"{each.short_name} {each.text}" for each in headline(tree)[:3])
        remarks.append(f"These are the figures of this model alone; {what}: {parts}.")
    if num_unread:
        remarks.append(f"Not readable, so counted as all deletions: {plural(num_unread, 'test sample')}.")
    return remarks


def _split(figure: Figure) -> Markup:
    if figure.substitutions is None or figure.deletions is None or figure.insertions is None:
        return Markup("")
    return stacked_bar(
        [
            ("substituted", figure.substitutions, "sub"),
            ("deleted", figure.deletions, "del"),
            ("inserted", figure.insertions, "ins"),
        ]
    )


def _learning(history: Sequence[dict[str, float | None]], best_epoch: int) -> list[Chart]:
    """Two charts, loss and validation error, over epochs."""
    charts = []
    for title, y_label, is_percent, sentence, columns in (
        ("Loss", "loss a character", False, LOSSES, (("train_loss", "training"), ("validation_loss", "validation"))),
        ("Validation error", "error rate", True, "", (("validation_wer", "words"), ("validation_cer", "characters"))),
    ):
        curves = []
        for (column, name), style in zip(columns, ("first", "second"), strict=True):
            pairs = [(row["epoch"], row[column]) for row in history]
            points = [(epoch, value) for epoch, value in pairs if epoch is not None and value is not None]
            if points:
                curves.append(Curve(name, style, points))
        if curves:
            svg = line_chart(title, curves, "epoch", y_label, best_epoch, is_percent)
            charts.append(Chart(title, sentence, svg, [(curve.name, curve.style) for curve in curves]))
    return charts


def _lengths(rows: Sequence[tuple[str, float, int]], unit: str) -> list[Chart]:
    """A histogram a split, all over the same bins."""
    starts = sorted({start for _, start, _ in rows})
    width = starts[1] - starts[0] if len(starts) > 1 else 1.0
    charts = []
    for split in SPLITS:
        bars = [Bar(start, start + width, times) for each, start, times in rows if each == split]
        if any(bar.count for bar in bars):
            title = f"{split.capitalize()}: {plural(sum(int(bar.count) for bar in bars), 'sample')}"
            charts.append(Chart(title, "", histogram(title, bars, unit, "samples")))
    return charts


def rejection_groups(rejections: Sequence[Rejection]) -> list[RejectionGroup]:
    """One row a stage and reason, the most frequent first."""
    groups: dict[tuple[str, str], list[Rejection]] = defaultdict(list)
    for each in rejections:
        groups[each.stage, each.code].append(each)
    rows = []
    for (stage, code), members in groups.items():
        splits = Counter(each.split or "without a split" for each in members)
        rows.append(
            RejectionGroup(
                stage,
                code,
                REASONS.get(code, code.replace("_", " ")),
                len(members),
                ", ".join(f"{count(times)} {split}" for split, times in sorted(splits.items())),
                [(each.id, each.sentence) for each in sorted(members, key=lambda each: each.id)[:MAX_REJECTED_IDS]],
            )
        )
    return sorted(rows, key=lambda row: (-row.count, row.stage, row.code))


def _settings(sources: Sources, settings: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Sections of the model folder and of ``params.yaml``, as JSON."""
    bundle = sources.bundle
    sections = {
        "network": bundle["network"],
        "slices": bundle["slice_settings"],
        "text": bundle["text_settings"],
        **settings,
        "training summary": bundle["summary"],
        "training costs": sources.training,
    }
    return [
        ("alphabet", " ".join(bundle["alphabet"])),
        *((key, to_json(each, indent=2)) for key, each in sections.items()),
    ]


def _comparison(sources: Sources, other: Run, seed: int) -> ComparisonView:
    """This run, B, against the other one, with as many draws as the other intervals of the page."""
    drawn = sources.metrics["interval"]
    this = run_of("this run", sources.hypotheses, "hypotheses.jsonl")
    draws = {"num_samples": drawn["bootstrap_samples"], "confidence": drawn["confidence"], "seed": seed}
    try:
        compared = compare(other, this, **draws)
    except GlyphoneError as error:
        raise GlyphoneError(f"report.compare_with: {error}; name a run on the same samples, or none") from None
    return view(compared, MAX_CHANGED)


def _commands(modality: str) -> list[tuple[str, str]]:
    return [
        # Without RECIPE, which would write params.yaml anew, and which most own data need a ROOT beside.
        ("Everything, from the corpus to this page, by params.yaml", "make repro"),
        ("This page again, from the results", f"python -m pipelines.report {modality}"),
        ("Transcribe your own files with this model", f"python -m pipelines.transcribe models/{modality} FILES…"),
        ("Compare with another state of the settings", "dvc metrics diff; dvc params diff"),
    ]
