"""What the card of a handed-out model says where a model or its results are out of the ordinary."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from common.errors import GlyphoneError
from common.files import write_json
from common.report.wording import level
from common.scoring import ScoredRow, score
from pipelines import hand_out
from pipelines.hand_out_card import rate
from tests.bare_models import random_bundle
from tests.report_world import HOSTILE
from tests.test_hand_out import TRAINING

LANGUAGE = {"language_model": {"unit": "word", "order": 3}, "alpha": 0.75, "beta": 1.0, "lexicon": "closed"}
BEAM_LM = {"engine": "beam_lm", "beam_width": 64} | LANGUAGE
# What a decoder may be tuned to, and what evaluate tells of the same.
DECODERS = (
    ({}, {"engine": "greedy"}, "greedy"),
    ({"engine": "beam", "beam_width": 16}, {"engine": "beam", "beam_width": 16}, "beam search, 16 prefixes"),
    (
        {key: value for key, value in BEAM_LM.items() if key != "language_model"},
        BEAM_LM,
        "beam search, 64 prefixes, word 3-grams (alpha 0.75, beta 1), closed lexicon",
    ),
    (
        {"engine": "beam", "whitelist": "ab", "rescoring": {"num_texts": 9, "weight": 0.5, "length_bonus": 0.0}},
        {"engine": "beam", "beam_width": 100, "whitelist": "ab"}
        | {"rescoring": {"num_texts": 9, "weight": 0.5, "length_bonus": 0.0}},
        "beam search, 100 prefixes, whitelist of 2 characters, rescored by a character model",
    ),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_bundle(tmp_path_factory.mktemp("card") / "model", "ocr")


@pytest.fixture
def card_of(model: Path, tmp_path: Path) -> Callable[..., str]:
    """The card of the model after changes of its description, decoder's settings and results; group names."""

    def written(
        summary: dict[str, Any] | None = None,
        decoding: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        group: str = "a",
    ) -> str:
        description = json.loads((model / "bundle.json").read_text(encoding="utf-8"))
        description["summary"] |= summary or {}
        folder, results = tmp_path / "model", tmp_path / "results"
        write_json(folder / "bundle.json", description)
        (folder / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
        write_json(folder / "language" / "decoding.json", {"settings": decoding or {}})
        rows = [ScoredRow(str(n), f"{group}/{n % 3}", "ab cd", "ab ce", n % 2 == 0, n) for n in range(6)]
        figures = score(rows, num_samples=5, confidence=0.9995) | {"validation": score(rows, num_samples=5)}
        part = {key: figures[key] for key in ("samples", "words", "characters", "exact", "exact_ignoring_case")}
        write_json(results / "metrics.json", figures | {"by_condition": {group: part}} | (metrics or {}))
        told = {"num_parameters": description["summary"]["num_parameters"], **TRAINING}
        write_json(results / "training.json", told | (training or {}))
        files = hand_out.contents(folder, results, "mine", "mine.zip", None, "")
        return files["README.md"].decode("utf-8")

    return written


def test_of_many_conditions_the_card_shows_the_ends(card_of: Callable[..., str]) -> None:
    counts = {"low": None, "high": None, "substitutions": 0, "deletions": 0, "insertions": 0, "reference": 100}
    parts = {}
    for number in range(60):
        errors = {**counts, "errors": number, "rate": number / 100}
        exact = {"hits": 1, "samples": 3, "share": 1 / 3, "low": None, "high": None}
        parts[f"c{number:02d}"] = {
            "samples": 3, "words": errors, "characters": errors, "exact": exact, "exact_ignoring_case": exact
        }  # fmt: skip
    card = card_of(metrics={"by_condition": parts})
    assert "Subsets of the test split: Of 60 kinds, the 10 highest and the 10 lowest." in card
    shown = [line.split()[2] for line in card.splitlines() if line.startswith("| condition ")]
    assert shown == [f"c{number:02d}" for number in [*range(59, 49, -1), *range(9, -1, -1)]]


@pytest.mark.parametrize(("tuned", "measured", "said"), DECODERS)
def test_the_decoder_is_the_one_that_was_measured(
    card_of: Callable[..., str], tuned: dict[str, Any], measured: dict[str, Any], said: str
) -> None:
    assert f"of 3 groups. Decoder: {said}. Intervals" in card_of(decoding=tuned, metrics={"decoder": measured})
    assert "too old to say by which decoder" in card_of(decoding=tuned)
    for _, told, _ in DECODERS:
        if told != measured:
            with pytest.raises(GlyphoneError, match=r"metrics.json: measured with decoding\.") as caught:
                card_of(decoding=tuned, metrics={"decoder": told})
            assert "\n" not in str(caught.value) and "run stages tune and evaluate again" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "key"), [({"whitelist": None}, "whitelist"), ({"beam_width": 9}, "beam_width"), ({}, None)]
)
def test_figures_of_other_settings_of_the_decoder_are_refused(
    card_of: Callable[..., str], changed: dict[str, Any], key: str | None
) -> None:
    settings = {"engine": "beam", "beam_width": 16, "whitelist": "ab"}
    if key is None:
        assert card_of(decoding=settings, metrics={"decoder": settings})
        return
    for own, measured in ((settings | changed, settings), (settings, settings | changed)):
        with pytest.raises(GlyphoneError, match=rf"measured with decoding\.{key} .* decodes with "):
            card_of(decoding=own, metrics={"decoder": {k: each for k, each in measured.items() if each is not None}})


def test_pretraining_and_adaptations_stand_under_how_it_was_made(model: Path, card_of: Callable[..., str]) -> None:
    assert "| pre-training |" not in card_of() and "| adaptation |" not in card_of()
    costs = {"seconds": 90.0, "epochs": 12, "best_epoch": 11, "samples": 4000}
    pretraining = {f"pretraining_{key}": value for key, value in costs.items()}
    assert (
        "| pre-training | 12 epochs, 1.5 minutes, 4,000 samples made for it, kept: epoch 11 |\n| training |"
    ) in card_of(training=pretraining)
    assert "| pre-training | 1.5 minutes |" in card_of(training={"pretraining_seconds": 90.0})
    steps = [{"files": 12, "rounds": [{}, {}]}, {"files": 1, "rounds": [{}]}]
    own = json.loads((model / "bundle.json").read_text(encoding="utf-8"))["weights_sha256"]
    text = card_of(summary={"adaptations": steps}, metrics={"weights_sha256": own})
    assert "| adaptation | to 12 files without transcripts, 2 rounds; the figures are of the weights after" in text
    assert "| adaptation | to 1 file without transcripts, 1 round; " in text
    with pytest.raises(GlyphoneError, match="of other weights than those of"):  # results that know of none
        card_of(summary={"adaptations": steps})


def test_groups_corpora_and_licences_are_no_markup(card_of: Callable[..., str]) -> None:
    name, licence = f"a|b *c* {HOSTILE.replace('/', '')}", f"[free](javascript:x) `|` {HOSTILE}"
    corpora = {name: {"samples": 1, "licence": licence}}
    text = card_of({"corpora": corpora, "warm_start": {"corpora": corpora}}, group=name)
    page = MarkdownIt("commonmark").enable("table").render(text.split("---\n", 2)[2])
    for tag in ("<script", "<img", "<em>", "<a "):
        assert tag not in page
    for shown in (f"condition {name}", name, licence):
        escaped = shown.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
        assert f"<td>{escaped}</td>" in page


def test_an_earlier_corpus_of_the_same_name_keeps_its_licence(card_of: Callable[..., str]) -> None:
    free, bound = ({"manifest": {"samples": 1, "licence": licence}} for licence in ("Apache-2.0", "CC BY-NC 4.0"))
    assert "\nlicense: apache-2.0\n" in card_of({"corpora": free, "warm_start": {"corpora": free}})
    assert "\nlicense: other\n" in card_of({"corpora": free, "warm_start": {"corpora": bound}})


def test_the_share_of_the_draws_is_not_rounded(card_of: Callable[..., str]) -> None:
    assert "Intervals hold 99.95 % of 5 bootstrap draws" in card_of()


@given(st.integers(1, 99_999))
def test_no_level_of_an_interval_is_rounded(hundred_thousandths: int) -> None:
    shown = level(hundred_thousandths / 100_000).removesuffix(" %")
    assert shown == f"{hundred_thousandths / 1000:.3f}".rstrip("0").rstrip(".")


def test_an_interval_without_width_is_none(card_of: Callable[..., str]) -> None:
    """Without a single error all draws of the bootstrap are 0: that is no certainty, and the card says so."""
    rows = [ScoredRow(str(n), f"g/{n % 3}", "ab cd", "ab cd", False, n) for n in range(60)]
    card = card_of(metrics=score(rows, num_samples=5))
    assert "0.0000 to 0.0000" not in card and "1.000 to 1.000" not in card
    assert "| word error rate | 0.0000 | – |" in card
    assert "Only 3 groups: the intervals are rough, and rather too narrow." in card
    assert "Of 60 samples without an error, up to about 5\u202f% may be wrong in truth" in card


@example(errors=1, reference=30_000)
@example(errors=2499, reference=2500)
@given(errors=st.integers(0, 10**6), reference=st.integers(1, 10**6))
def test_no_rate_is_rounded_to_nothing_or_all(errors: int, reference: int) -> None:
    text = rate(errors / reference)
    assert (text == "0.0000") == (errors == 0)
    assert text != "1.000" or errors >= reference
