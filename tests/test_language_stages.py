"""Stages lm and tune, and what evaluate and transcribe make of them, on a network that reads labels off the slices."""

import errno
import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from common.bundle import read_bundle
from common.calibration import Calibration
from common.decoding import DecodingSettings
from common.decoding.decoder import Decoder, chosen_settings, decoder_of
from common.emissions import emissions
from common.errors import GlyphoneError, SettingsError
from common.files import write_json, write_jsonl, write_text
from common.language.folder import Language, read_language
from common.scoring import count_words
from common.store import Store
from pipelines import evaluate, recipe, transcribe
from pipelines.lm import learn_language, lines_of
from pipelines.recogniser import Recogniser
from pipelines.tune import tune
from tests.test_evaluate import make_project

PARAMS = """
seed: 5
modalities: [audio]
audio:
  corpora: [{reader: synthetic}]
  text: {case: upper}
  language: LANGUAGE
  decoding: DECODING
  tune: {alphas: [0.5, 4.0], betas: [0.0, 1.0], beam_widths: [4, 8]}
  evaluate: {bootstrap_samples: 50}
"""
SAMPLES = [
    *[(f"t{i}", "train", text) for i, text in enumerate(["ABBA CAB", "DAD", "BAD CAB", "BAD", "BAD DAD"])],
    ("v1", "validation", "BED"),
    ("e1", "test", "DEAD BEE"),
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Makes a folder after prepare, extract and train; the settings of language and decoding are the arguments."""

    def make(language="{unit: word, order: 3}", decoding="{engine: beam_lm}"):
        make_project(tmp_path, "greedy")
        rows = [{"id": id, "path": "x", "text": text, "group": "g", "split": split} for id, split, text in SAMPLES]
        write_jsonl(tmp_path / "data" / "audio" / "samples.jsonl", rows)
        write_text(tmp_path / "params.yaml", PARAMS.replace("LANGUAGE", language).replace("DECODING", decoding))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make


def described(folder):
    return json.loads((folder / "data/audio/language/language.json").read_text(encoding="utf-8"))


def chosen(folder):
    return json.loads((folder / "models/audio/language/decoding.json").read_text(encoding="utf-8"))


def test_only_training_texts_are_learned(project):
    folder = project()
    learn_language("audio")
    language = read_language(folder / "data/audio/language")
    assert language.words == ("ABBA", "BAD", "CAB", "DAD")
    assert set(language.ngrams.tokens) == {"<unk>", "<s>", "</s>", *language.words}
    assert language.ngrams.order == 3
    description = described(folder)
    assert (description["num_texts"], description["num_words"]) == (5, 4)
    # BED is unknown, its end is known.
    assert (description["validation"]["tokens"], description["validation"]["unknown_share"]) == (2, 0.5)
    assert description["validation"]["perplexity"] > 1
    before = (folder / "data/audio/language/model.arpa.gz").read_bytes()
    learn_language("audio")
    assert (folder / "data/audio/language/model.arpa.gz").read_bytes() == before


def test_a_text_file_teaches_too(project):
    folder = project("{unit: char, order: 2, text: more.txt}")
    (folder / "more.txt.gz").write_bytes(gzip.compress(b"feed  bee\n\nzoo\n"))
    with pytest.raises(GlyphoneError, match=r"audio.language.text: no file 'more.txt'"):
        learn_language("audio")
    write_text(folder / "params.yaml", (folder / "params.yaml").read_text().replace("more.txt", "more.txt.gz"))
    learn_language("audio")
    language = read_language(folder / "data/audio/language")
    assert language.words == ("ABBA", "BAD", "BEE", "CAB", "DAD", "FEED", "ZOO")
    assert {"<space>", "Z"} <= set(language.ngrams.tokens)
    assert described(folder)["num_texts"] == 7
    (folder / "more.txt.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(GlyphoneError, match=r"more.txt.gz, line 1: not a UTF-8 text"):
        learn_language("audio")


@pytest.mark.parametrize(
    ("unit", "content", "message"),
    [
        ("word", b"feed\r\nbad <unk> cab\r\n", r"more\.txt, line 2: the token '<UNK>' cannot be learned"),
        ("word", b"feed\rbad\r\r" + b"x" * 50_000, r"more\.txt, line 4: the token 'X+…' cannot be learned"),
        ("char", b"feed\n\nbe\0d\n", r"more\.txt, line 3: a NUL: not a UTF-8 text; allowed: a text a line in UTF-8"),
        ("char", "feed\n".encode("utf-16")[:-1], r"more\.txt, line 1: not a UTF-16 text: .*; allowed: a text a line"),
        ("char", "feed\n".encode("utf-32"), r"more\.txt, line 1: a NUL: not a UTF-16 text"),
        ("char", "feed\n".encode("utf-16-le"), r"more\.txt, line 1: a NUL: not a UTF-8 text"),
        ("word", b"", r"audio\.language\.text: \S*more\.txt: no text in it; name another file, or none"),
        ("char", gzip.compress("\ufeff\r\n \t\n".encode(), mtime=0), r"more\.txt: no text in it"),
    ],
)
def test_where_a_text_file_holds_what_cannot_be_learned(project, unit, content, message):
    folder = project(f"{{unit: {unit}, order: 2, text: more.txt}}")
    (folder / "more.txt").write_bytes(content)
    with pytest.raises(GlyphoneError, match=message):
        learn_language("audio")


def test_a_transcript_with_a_marker_of_n_grams_is_named(project):
    folder = project("{unit: word, order: 2}")
    rows = [{"id": "t0", "path": "x", "text": "BAD <unk>", "group": "g", "split": "train"}]
    write_jsonl(folder / "data/audio/samples.jsonl", rows)
    with pytest.raises(GlyphoneError, match=r"samples\.jsonl: sample 't0': the token '<unk>' cannot be learned"):
        learn_language("audio")


@pytest.mark.parametrize("unit", ["word", "char"])
def test_characters_of_a_text_file_that_no_transcript_has_are_told(project, capsys, unit):
    folder = project(f"{{unit: {unit}, order: 2, text: more.txt}}")
    (folder / "more.txt").write_text("dad’s cab\nzoo’s\nbad\n", encoding="utf-8")
    learn_language("audio")
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("audio.language.text: ")]
    assert len(told) == 1 and "'S' in 2, '’' in 2, 'O' in 1, 'Z' in 1 of its lines; map them" in told[0]
    (folder / "more.txt").write_text("".join(map(chr, range(0x430, 0x430 + 12))), encoding="utf-8")
    learn_language("audio")
    assert "'Й' in 1 and 2 more of its lines" in capsys.readouterr().err
    (folder / "more.txt").write_text("dab cab\n", encoding="utf-8")
    learn_language("audio")
    assert "language.text" not in capsys.readouterr().err


def test_a_changed_text_file_changes_the_settings(project, monkeypatch):
    folder = project()
    write_text(folder / "more.txt", "A\n")
    tree = {"modalities": ["audio"], "audio": {"language": {"text": "more.txt"}}}
    recipe.fill_text_digests(tree)
    first = tree["audio"]["language"]["text_digest"]
    write_text(folder / "more.txt", "B\n")
    recipe.fill_text_digests(tree)
    assert len(first) == 32 and tree["audio"]["language"]["text_digest"] != first


def test_unit_none_learns_nothing(project):
    folder = project("{unit: none}", "{engine: beam}")
    learn_language("audio")
    assert sorted(path.name for path in (folder / "data/audio/language").iterdir()) == ["language.json"]
    assert read_language(folder / "data/audio/language") == Language("none")


@pytest.mark.parametrize(
    ("language", "decoding", "message"),
    [
        ("{unit: word}", "{engine: beam_lm, hotwords: {XYZ: 1}}", "the model writes no X Y Z"),
        ("{unit: word}", "{engine: beam_lm, whitelist: AXBY}", "whitelist 'AXBY': the model writes no 'X' 'Y'"),
    ],
)
def test_mistakes_end_tune_before_the_network_runs(project, monkeypatch, language, decoding, message):
    project(language, decoding)
    learn_language("audio")
    monkeypatch.setattr("common.emissions.emissions", None)
    with pytest.raises(GlyphoneError, match=message):
        tune("audio", "cpu")


@pytest.mark.parametrize("decoding", ["{engine: beam_lm}", "{engine: beam_lm, whitelist: 'BD '}"])
def test_tune_needs_no_test_data_and_its_choice_is_what_evaluate_uses(project, decoding):
    folder = project(decoding=decoding)
    learn_language("audio")
    kept = (folder / "data/audio/slices/test.arrow").read_bytes()
    (folder / "data/audio/slices/test.arrow").unlink()
    tune("audio", "cpu")
    (folder / "data/audio/slices/test.arrow").write_bytes(kept)
    content = chosen(folder)
    assert len(content["tried"]) == 2 * 2 + 1
    best = content["tried"][0]
    assert best["word_errors"] == min(each["word_errors"] for each in content["tried"])
    settings = chosen_settings(folder / "models/audio")
    assert settings.engine == "beam_lm"
    assert [getattr(settings, key) for key in ("alpha", "beta", "beam_width")] == [
        best[key] for key in ("alpha", "beta", "beam_width")
    ]
    bundle = read_bundle(folder / "models/audio")
    decoder = decoder_of(folder / "models/audio", bundle.alphabet, settings)
    store = Store(folder / "data/audio/slices/validation.arrow")
    found = [decoder(each).text for each in emissions(bundle.network, [store.slices(i) for i in range(len(store))])]
    assert sum(count_words(r, h).errors for r, h in zip(store.texts, found, strict=True)) == best["word_errors"]
    evaluate.evaluate("audio", "cpu")
    metrics = json.loads((folder / "results/audio/metrics.json").read_text(encoding="utf-8"))
    assert metrics["validation"]["words"]["errors"] == best["word_errors"]
    told = {key: metrics["decoder"][key] for key in ("engine", "alpha", "beta", "beam_width", "lexicon")}
    assert told.items() <= content["settings"].items()
    assert metrics["decoder"]["language_model"]["unit"] == "word"
    # Confidences are put right by what was fitted on hypotheses of this decoder.
    said = sum(len(text.split()) for text in found)
    assert content["calibration"]["words"]["observations"] == said > 0
    assert content["calibration"] != bundle.calibration_errors
    assert metrics["calibration"]["validation"] == content["calibration"]


def test_evaluate_wants_the_decoder_that_was_tuned(project):
    """Whoever runs stages by hand must not read figures of settings that are no longer set."""
    folder = project("{unit: word}", "{engine: greedy}")
    learn_language("audio")
    tune("audio", "cpu")
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    for decoding, message in [
        ("{engine: beam_lm}", "decoding.engine: 'beam_lm': models/audio was tuned with 'greedy'; run stage tune again"),
        ("{engine: beam_lm, lexicon: closed}", "decoding.lexicon: 'closed': models/audio was tuned with 'none'"),
    ]:
        write_text(folder / "params.yaml", params.replace("{engine: greedy}", decoding))
        with pytest.raises(GlyphoneError, match=message):
            evaluate.evaluate("audio", "cpu")
        tune("audio", "cpu")
        evaluate.evaluate("audio", "cpu")


def test_the_bundle_alone_decodes_with_its_language_model(project):
    folder = project()
    learn_language("audio")
    tune("audio", "cpu")
    moved = folder / "elsewhere"
    (folder / "models/audio").rename(moved)
    recogniser = Recogniser.load(moved)
    assert recogniser.decoding == chosen_settings(moved)
    tuned = json.loads((moved / "language/decoding.json").read_text(encoding="utf-8"))
    assert recogniser.bundle.calibration == Calibration.of_description(tuned["calibration"])
    greedy = Recogniser.load(moved, decoding=DecodingSettings(engine="greedy"))
    assert greedy.bundle.calibration == read_bundle(moved).calibration != recogniser.bundle.calibration
    # What was fitted on the texts of another engine says nothing of those of this one.
    settings = tuned["settings"] | {"engine": "beam"}
    write_json(moved / "language/decoding.json", tuned | {"settings": settings})
    assert Recogniser.load(moved, decoding=recogniser.decoding).bundle.calibration == greedy.bundle.calibration
    # A model that was tuned before there was one keeps that of train; a damaged one is told.
    for damage, message in ((None, None), ({"words": {}}, "calibration: 'characters'")):
        write_json(moved / "language/decoding.json", tuned | {"calibration": damage})
        if message is None:
            assert Recogniser.load(moved).bundle.calibration == greedy.bundle.calibration
            continue
        with pytest.raises(GlyphoneError, match=message):
            Recogniser.load(moved)
    write_json(moved / "language/decoding.json", tuned)
    log_probs = torch.full((6, 7), -6.0).log_softmax(1)
    log_probs[range(6), [2, 0, 2, 0, 0, 0]] = -0.01  # "AA": no word of the training texts
    assert recogniser.decoder(log_probs.numpy()).language_score < 0
    options = transcribe._parser().parse_args([str(moved), "x.wav"])
    assert transcribe._decoding(options) == recogniser.decoding
    options = transcribe._parser().parse_args([str(moved), "x.wav", "--engine", "greedy", "--beam-width", "3"])
    assert (transcribe._decoding(options).engine, transcribe._decoding(options).beam_width) == ("greedy", 3)
    # Another language model is another result: it must not go on in the same file.
    before = transcribe._engine(recogniser.decoding, moved)
    (moved / "language" / "words.txt").write_text("OTHER\n")
    assert transcribe._engine(recogniser.decoding, moved) != before


@pytest.mark.parametrize("engine", ["greedy", "beam"])
def test_without_a_language_model_tune_reads_no_data(project, engine):
    folder = project("{unit: none}", f"{{engine: {engine}, beam_width: 7}}")
    for path in [*Path("data").rglob("*.arrow"), folder / "models/audio/model.safetensors"]:
        path.unlink()
    tune("audio", "cpu")
    assert set(chosen(folder)) == {"settings"}
    assert chosen_settings(folder / "models/audio") == DecodingSettings(engine=engine, beam_width=7)


def test_nothing_of_earlier_settings_stays(project):
    """Stages that are run by hand, not by DVC, which clears their folders away."""
    source, target = project() / "data/audio/language", Path("models/audio/language")
    learn_language("audio")
    tune("audio", "cpu")
    assert {path.name for path in target.iterdir()} == {"decoding.json", "language.json", "model.arpa.gz", "words.txt"}
    project("{unit: none}", "{engine: greedy}")
    tune("audio", "cpu")
    assert {path.name for path in target.iterdir()} == {"decoding.json"}
    learn_language("audio")
    assert {path.name for path in source.iterdir()} == {"language.json"}


def test_a_kill_within_stage_lm_leaves_no_model_of_two_settings(project, monkeypatch):
    project()
    learn_language("audio")
    project("{unit: char, order: 2}")
    monkeypatch.setattr("common.language.folder.write_text", lambda *_: sys.exit())
    with pytest.raises(SystemExit):
        learn_language("audio")
    with pytest.raises(GlyphoneError, match=r"no language model there"):
        read_language("data/audio/language")


def test_a_full_disk_within_stage_tune_leaves_no_model_of_two_settings(project, monkeypatch):
    folder = project()
    learn_language("audio")
    tune("audio")
    write_text(folder / "params.yaml", (folder / "params.yaml").read_text().replace("order: 3", "order: 2"))
    learn_language("audio")

    def copy(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.tune.shutil.copyfileobj", copy)
    with pytest.raises(OSError, match="No space left on device"):
        tune("audio")
    with pytest.raises(GlyphoneError, match=r"language.json is missing; stages lm and tune write it"):
        decoder_of(
            folder / "models/audio", read_bundle(folder / "models/audio").alphabet, DecodingSettings(engine="beam_lm")
        )
    with pytest.raises(GlyphoneError, match=r"decoding.json is missing"):  # not those of the earlier model
        chosen_settings(folder / "models/audio")


def test_wrong_settings_of_stage_tune_leave_no_model_that_is_read_greedily(project):
    """DVC removes the folder that stage tune writes before it starts the stage."""
    folder = project(decoding="{engine: magic}")
    with pytest.raises(SettingsError, match="magic"):
        tune("audio")
    with pytest.raises(GlyphoneError, match=r"decoding.json is missing: .* run it again$"):
        chosen_settings(folder / "models/audio")


def test_a_closed_lexicon_corrects_what_the_network_says(project):
    folder = project(decoding="{engine: beam_lm, lexicon: closed}")
    learn_language("audio")
    language = read_language(folder / "data/audio/language")
    bundle = read_bundle(folder / "models/audio")
    store = Store(folder / "data/audio/slices/validation.arrow")
    assert store.texts[1] == "BAD"  # the network says BED
    settings = DecodingSettings(engine="beam_lm", beam_width=64, lexicon="closed")
    (log_probs,) = emissions(bundle.network, [store.slices(1)])
    assert Decoder(bundle.alphabet, settings, language)(log_probs).text == "BAD"


def test_mistakes_are_told(project):
    folder = project()
    with pytest.raises(GlyphoneError, match=r"no language model there, language.json is missing; stages lm and tune"):
        decoder_of(
            folder / "models/audio", read_bundle(folder / "models/audio").alphabet, DecodingSettings(engine="beam_lm")
        )
    write_text(folder / "models/audio/language/decoding.json", '{"settings": {"engine": "magic"}}')
    with pytest.raises(GlyphoneError, match=r"decoding.json: not of this version of Glyphone"):
        chosen_settings(folder / "models/audio")
    # A model that was not tuned to its end was read greedily without a word.
    (folder / "models/audio/language/decoding.json").unlink()
    with pytest.raises(GlyphoneError, match=r"audio/language/decoding.json is missing: stage tune .* run it again$"):
        chosen_settings(folder / "models/audio")
    learn_language("audio")
    (folder / "data/audio/language/words.txt").write_bytes(b"BAD\n\xff\n")
    with pytest.raises(GlyphoneError, match=r"words.txt: not UTF-8: .*; run stages lm and tune again"):
        read_language(folder / "data/audio/language")
    write_text(folder / "data/audio/language/language.json", '{"format_version": 9, "unit": "word"}')
    with pytest.raises(GlyphoneError, match=r"format_version 9, unit 'word'; this version of Glyphone reads 1"):
        read_language(folder / "data/audio/language")
    write_text(folder / "data/audio/samples.jsonl", '{"split": "train"}\n')
    with pytest.raises(GlyphoneError, match=r"samples.jsonl: not a sample: id: this key is needed .*; stage prepare"):
        learn_language("audio")
    project("{unit: letter, order: 0}")
    with pytest.raises(SettingsError, match=r"(?s)language.unit.*language.order"):
        learn_language("audio")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_texts_may_be_encoded_and_lines_end_as_those_of_tables_do(
    encoding: str, end: str, packed: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(
        packed(end.join(["\ufeffeins", "", "zwei\u2028dr\u010a\u0a0di", ""]).encode(encoding))
    )
    assert [line for line in lines_of(tmp_path / "a.txt") if line] == ["eins", "zwei\u2028dr\u010a\u0a0di"]


@pytest.mark.parametrize("place", range(10, 40, 3))
def test_a_damaged_gzip_text_ends_in_one_line(place: int, tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b"hello world\n" * 999))
    data[place] ^= 0xFF
    (tmp_path / "a.txt.gz").write_bytes(data)
    with pytest.raises(GlyphoneError, match="not a UTF-8 text") as caught:
        list(lines_of(tmp_path / "a.txt.gz"))
    assert "\n" not in str(caught.value)
