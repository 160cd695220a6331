"""The report as a page: what it says, what it must never do, and the files and the command behind it."""

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from common.comparison.runs import run_of
from common.errors import GlyphoneError
from common.files import to_json, write_jsonl
from common.report import samples
from common.report.gather import gather
from common.report.page import render
from common.report.shapes import Metrics
from common.report.sources import Sources, read_sources
from common.samples import Rejection
from common.shapes import checked
from pipelines.report import report
from tests.report_world import HEBREW, HOSTILE, build, improved, metrics_of, rows_of, with_settings

DECODING = {"decoding": {"engine": "beam", "beam_width": 16}}


class Page(HTMLParser):
    """What a browser would see: elements with attributes, and the text outside style and script."""

    VOID = {"meta", "link", "img", "input", "br"}  # noqa: RUF012

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.parts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.parts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.parts)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    for modality in ("audio", "ocr"):
        build(root, modality, rows_of(60))
    return root


def page_of(world: Path, modality: str = "audio", num_worst: int = 10) -> str:
    return render(gather(read_sources(modality, world), modality, "default", num_worst, 1, DECODING))


def test_the_page_says_it_all(world: Path) -> None:
    page = Page(page_of(world))
    assert not page.open
    metrics = read_sources("audio", world).metrics
    for text in (
        *(
            metrics["line"],
            "Apache-2.0; not stated",
            "1,234,567",
            "2\u00a0h\u00a001\u00a0min",
            "3\u00a0min\u00a014\u00a0s",
        ),
        *("1 group stands in two splits", "Split by group.", "60 samples, 50 shown", "beam search, 16 prefixes"),
        *("the lower row tells what to expect of new texts", "and not the chance that all of it is right"),
        *("the transcript is empty after normalisation", "30 without a split", "could not be read: not a sound file"),
        *("to this page, by params.yaml", "python -m pipelines.transcribe models/audio", HEBREW, "an4, synthetic"),
    ):
        assert text in page.text, text
    # A recipe of one's own is found by its path alone, needs its ROOT again, and would take edited settings back.
    assert "make repro" in page.text and "RECIPE=" not in page.text
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert sum(tag == "audio" for tag, _ in page.elements) == 17, "10 worst and 8 random; one could not be read"


def test_the_decoder_is_the_one_that_tune_chose(world: Path) -> None:
    asked = {"engine": "beam", "beam_width": 16, "rescoring": {"num_texts": 20, "weight": 0.3, "length_bonus": 0}}
    helps = {**asked, "rescoring": {"num_texts": 20, "weight": 0.75, "length_bonus": 0.5}}
    for chosen, expected in (
        (None, "beam search, 16 prefixes, rescored by a character model"),
        (helps, "beam search, 16 prefixes, rescored by a character model"),
        ({**asked, "rescoring": None}, "beam search, 16 prefixes"),
    ):
        sources = replace(read_sources("audio", world), decoding=chosen)
        content = gather(sources, "audio", "default", 1, 1, {"decoding": asked})
        assert ("Decoder", expected) in content.facts
        assert dict(content.settings)["decoding"] == to_json(chosen or asked, indent=2)
    # What evaluate says that it measured goes before all; results of before it say nothing.
    measured = {"engine": "beam_lm", "beam_width": 64, "language_model": {"unit": "word", "order": 4}, "alpha": 0.75}
    measured |= {"beta": -1.0, "lexicon": "closed", "hotwords": {"a": 1.0}, "rescoring": None}
    for told, expected in (
        ({"engine": "greedy"}, "greedy"),
        (measured, "beam search, 64 prefixes, word 4-grams (alpha 0.75, beta -1), closed lexicon, 1 hotword"),
        (
            measured | {"language_model": None, "whitelist": "abc"},
            "beam search, 64 prefixes, closed lexicon, 1 hotword, whitelist of 3 characters",
        ),
    ):
        checked(Metrics, sources.metrics | {"decoder": told}, "metrics.json")
        content = gather(replace(sources, metrics=sources.metrics | {"decoder": told}), "audio", "", 1, 1, DECODING)
        assert ("Decoder", expected) in content.facts
    # Of a decoder without anything to choose the settings count, as in evaluate.
    content = gather(replace(sources, decoding=asked), "audio", "default", 1, 1, DECODING)
    assert ("Decoder", "beam search, 16 prefixes") in content.facts


def test_groups_are_not_called_new(world: Path) -> None:
    """The doctor may have found them in two splits, and names as FSDD's george/test hide it from the doctor too."""
    sources = read_sources("audio", world)
    for findings in (sources.findings, ()):
        page = render(gather(replace(sources, findings=findings), "audio", "default", 1, 1, DECODING))
        assert "not trained on" not in page and "no group stands in two splits" not in page


@pytest.mark.parametrize(("num_groups", "said"), [(1, "Only 8 samples:"), (4, "Only 4 groups:")])
def test_page_and_comparison_warn_of_few_groups_or_samples(world: Path, num_groups: int, said: str) -> None:
    sources = read_sources("audio", world)
    rows = [{**row, "group": f"g{number % num_groups}"} for number, row in enumerate(sources.hypotheses[:8])]
    sources = replace(sources, hypotheses=rows, metrics=metrics_of(rows))
    other = run_of("other", improved(rows, 0.5), "other")
    content = gather(sources, "audio", "default", 1, 1, DECODING, other)
    assert content.comparison is not None
    for remarks in (content.remarks, content.comparison.remarks):
        assert next(each for each in remarks if each.startswith("Only ")).startswith(said)


def test_only_what_is_scored_counts_as_unread(world: Path) -> None:
    sources = read_sources("audio", world)
    first, second, *_ = sources.hypotheses
    never_scored = [
        Rejection("gone", "prepare", "empty_text", "gone.wav: nothing is left of the transcript", "test"),
        Rejection(first["id"], "prepare", "duplicate_id", "copy.wav: its id is that of first.wav", "test"),
    ]
    unread = [
        Rejection(second["id"], stage, "unreadable", "not a sound file", "test") for stage in ("prepare", "extract")
    ]
    sources = replace(sources, rejections=[*never_scored, *unread])
    text = Page(render(gather(sources, "audio", "default", 1000, 1, DECODING))).text
    assert "counted as all deletions: 1 test sample." in text
    assert "could not be read: not a sound file" in text and "could not be read: copy.wav" not in text


def test_what_comes_from_data_is_text_everywhere(world: Path) -> None:
    source = page_of(world, "ocr")
    page = Page(source)
    assert HOSTILE not in source and page.text.count(HOSTILE) > 5
    assert [tag for tag, _ in page.elements].count("script") == 1
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], f"<{tag}> has a handler"
        if tag in ("img", "audio"):
            assert re.match(r"data:(image/png|audio/wav);base64,[A-Za-z0-9+/=]+$", attributes["src"])
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", source)
    assert "http" not in re.sub(r"http-equiv", "", source)


def test_confusions_show_what_has_no_ink(tmp_path: Path) -> None:
    row = rows_of(5)[0]
    texts = {"reference": "a\u200cb\u0302", "hypothesis": "ab"}
    counts = {"character_counts": {"substitutions": 0, "deletions": 2, "insertions": 0, "reference": 4}}
    build(tmp_path, "ocr", [{**row, **texts, **counts}])
    table = page_of(tmp_path, "ocr").partition('aria-label="Character confusions"')[2].partition("</table>")[0]
    assert ">U+200C<" in table and ">\u25cc\u0302<" in table


def test_the_policy_fits_style_and_script(world: Path) -> None:
    import base64
    import hashlib

    source = page_of(world)
    for element in ("style", "script"):
        [content] = re.findall(rf"<{element}>(.*?)</{element}>", source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in source


def test_the_same_results_give_the_same_bytes(world: Path) -> None:
    assert page_of(world) == page_of(world)


def test_transcripts_know_their_direction(world: Path) -> None:
    page = Page(page_of(world))
    transcripts = [attributes for _, attributes in page.elements if attributes.get("class") == "transcript"]
    assert len(transcripts) > 100 and all(each["dir"] == "auto" for each in transcripts)


def test_another_run_is_compared_only_where_the_settings_name_one(world: Path) -> None:
    sources = read_sources("audio", world)
    alone = Page(page_of(world)).text
    assert "python -m pipelines.compare OTHER results/audio compares this run with another one" in alone
    assert "B − A" not in alone
    rows = [{**row, "hypothesis": f"{row['hypothesis']} {HOSTILE}"} for row in sources.hypotheses]
    content = gather(sources, "audio", "default", 10, 1, DECODING, run_of(HOSTILE, rows, "other"))
    source = render(content)
    page = Page(source)
    assert not page.open and "pipelines.compare OTHER" not in page.text
    for text in (HOSTILE, "this run", "B errs less in words", "60 of 60 samples changed", "Better in B: 60"):
        assert text in page.text, text
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert source == render(gather(sources, "audio", "default", 10, 1, DECODING, run_of(HOSTILE, rows, "other")))
    with pytest.raises(GlyphoneError, match=r"^report.compare_with: .*other lacks 1 of the 60 of this run.*or none$"):
        gather(sources, "audio", "default", 10, 1, DECODING, run_of("other", rows[1:], "other"))


def test_an_empty_test_set_is_still_a_page(tmp_path: Path) -> None:
    build(tmp_path, "audio", [], num_epochs=0)
    page = Page(page_of(tmp_path))
    assert "No sample has an error." in page.text and "There is no test sample." in page.text
    # Nothing to divide by: neither a line's ends without the line, nor a block without a score.
    assert not [each for _, each in page.elements if each.get("class") in ("ends", "sclite")]


def test_where_no_worst_samples_are_asked_for_errors_are_not_denied(world: Path) -> None:
    page = Page(page_of(world, num_worst=0))
    assert "No sample has an error." not in page.text
    assert not [each for _, each in page.elements if "worst" in (each.get("id"), each.get("href", "").lstrip("#"))]


def test_a_perfect_model_has_no_confusions(tmp_path: Path) -> None:
    rows = [row for row in rows_of(30) if row["reference"] == row["hypothesis"]]
    build(tmp_path, "ocr", rows)
    page = Page(page_of(tmp_path, "ocr"))
    assert "No character was wrong." in page.text and "No word was missed." in page.text
    # All draws are the same: that is no interval, and no proof.
    assert "95 % interval: " not in page.text and page.text.count("no interval") == 4, "three cards and the remark"
    assert "in word error rate, character error rate and samples exactly right, so no interval" in page.text
    share = 300 / len(rows)
    said = re.search(rf"Of {len(rows)} samples without an error, up to about (\d+)\u202f% may be wrong", page.text)
    assert said and 0.8 * share < int(said[1]) <= share


def test_all_wrong_is_no_interval_either(tmp_path: Path) -> None:
    build(tmp_path, "ocr", [{**row, "hypothesis": ""} for row in rows_of(100)])
    page = Page(page_of(tmp_path, "ocr"))
    assert "95 % interval: " not in page.text and "100 to 100" not in page.text
    said = "Of 100 samples that are all wrong, up to about 3\u202f% may be right in truth (95 %, the rule of three"
    assert said in page.text
    build(tmp_path, "ocr", rows_of(60))
    page = Page(page_of(tmp_path, "ocr"))
    assert page.text.count("95 % interval: ") == 3 and "rule of three" not in page.text


def test_the_table_is_capped_and_says_so(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_TABLE_ROWS", 25)
    page = Page(page_of(world))
    assert "25 samples with the highest character error rate of 60" in " ".join(page.text.split())
    assert sum("data-sort" in attributes for _, attributes in page.elements) == 4 * 25


def test_the_curves_of_loss_and_the_chosen_epoch_are_called_what_they_are(world: Path) -> None:
    page = Page(page_of(world))
    assert "CTC loss a character" not in page.text and "loss a character" in page.text
    assert "Training is all that the training minimises" in page.text and "validation is plain CTC" in page.text
    assert "epoch 10: its weights, with the lowest validation character error rate, are the model" in page.text


# Files and command


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("results/audio/metrics.json", None, "no such file"),
        ("results/audio/metrics.json", "[]", "must be a valid dictionary"),
        ("results/audio/history.csv", "epoch,loss\n1,2\n", "no column 'train_loss'; found 'epoch', 'loss'"),
        ("results/audio/lengths.csv", "bin,count,split\nx,1,test\n", "bin: 'x': must be a valid number"),
        ("results/audio/hypotheses.jsonl", '{"id": "a"}\n', "'a': group: this key is needed"),
        ("data/audio/findings.json", '[{"code": "x"}]', "not a list of findings"),
        ("models/audio/language/decoding.json", '{"settings": 1}', "settings: 1: must be a valid dict"),
        ("data/audio/slices/test.arrow", "no arrow", "not a store"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, path: str, content: str | None, message: str) -> None:
    build(tmp_path, "audio", rows_of(6))
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(GlyphoneError, match=message) as caught:
        read_sources("audio", tmp_path)
    assert file.name in str(caught.value) and "\n" not in str(caught.value)


def test_history_that_is_no_number_is_left_out_of_the_curve(world: Path) -> None:
    sources: Sources = read_sources("audio", world)
    assert sources.history[0]["validation_loss"] is None and sources.history[1]["validation_loss"] > 0


def test_the_command_writes_the_page_without_torch(world: Path, repository: Path) -> None:
    with_settings(world, repository)
    write_jsonl(world / "other" / "hypotheses.jsonl", ({**row, "hypothesis": ""} for row in rows_of(60)))
    changed = (
        (world / "params.yaml")
        .read_text(encoding="utf-8")
        .replace('"num_worst"', '"compare_with": "other", "num_worst"')
    )
    (world / "params.yaml").write_text(changed, encoding="utf-8")
    code = (
        "import sys; from pipelines.report import report; report('audio'); "
        "print(*(name for name in ('torch', 'cv2', 'soundfile') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=world,
        env={"PYTHONPATH": str(repository), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "torch" not in done.stdout.split()
    page = (world / "results" / "audio" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and str(world) not in page and page.count("<audio") > 20
    assert "<dt>A</dt><dd><bdi>other</bdi></dd>" in page


def test_a_run_to_compare_with_that_is_not_there_is_named(
    world: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_settings(world, repository)
    settings = (world / "params.yaml").read_text("utf-8").replace('"num_worst"', '"compare_with": "none", "num_worst"')
    (world / "params.yaml").write_text(settings, encoding="utf-8")
    monkeypatch.chdir(world)
    with pytest.raises(GlyphoneError, match=r"^ocr.report.compare_with: none: no such file or folder$"):
        report("ocr")
