"""Settings: what is accepted, and that all mistakes are named together, before any work."""

import json
import math
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import SettingsError
from pipelines.modalities import MODULES
from pipelines.settings import check, read

GOOD: dict[str, Any] = {
    "seed": 1,
    "modalities": ["toy"],
    "toy": {"corpora": [{"reader": "synthetic"}], "training": {}, "slices": {}},
}


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "toy", "tests.toy.modality")


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def write(path: Path, *changes: tuple[str, Any]) -> Path:
    """GOOD with values at dotted keys replaced."""
    tree = json.loads(json.dumps(GOOD))
    for key, value in changes:
        *folders, last = key.split(".")
        place = tree
        for folder in folders:
            place = place[int(folder)] if isinstance(place, list) else place.setdefault(folder, {})
        place[last] = value
    path.write_text(json.dumps(tree), "utf-8")
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as error:
        read("toy", path=path)
    return str(error.value).split("\n")


@pytest.mark.parametrize("name", ["seed", "recipe", "modalities", "nobody"])
def test_what_is_no_modality_is_refused(params: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: no such modality; there are "):
        read(name, "training", path=write(params))


def test_only_what_is_asked_for(params: Path) -> None:
    chosen = read("toy", "seed", "text", "corpora", path=write(params))
    assert set(vars(chosen)) == {"seed", "text", "corpora"}
    assert (chosen.seed, chosen.text.case) == (1, "keep")
    (corpus,) = chosen.corpora
    assert (corpus.name, corpus.reader, corpus.own.num_train) == ("synthetic", "synthetic", 6)


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001", "1e-05", "+1e-3"])
def test_floats_as_yaml_1_2_has_them(params: Path, text: str) -> None:
    """YAML 1.1, and PyYAML with it, reads 1e-3 as a string; `dvc exp run -S` writes such numbers."""
    head = "seed: 1\nmodalities: [toy]\ntoy:\n  corpora:\n    - reader: synthetic\n"
    params.write_text(f"{head}  training:\n    learning_rate: {text}\n", "utf-8")
    assert read("toy", "training", path=params).training.learning_rate == float(text)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("toy.training.learning_rate", "1e-3", "must be a valid number"),
        ("toy.training.learning_rate", True, "must be a valid number"),
        ("toy.training.learning_rate", -1, "must be greater than 0"),
        ("toy.training.epochs", 1.5, "must be a valid integer"),
        ("toy.training.epochs", "7", "must be a valid integer"),
        ("toy.training.epochs", None, "must be a valid integer"),
        ("toy.training.epoch", 3, "unknown key"),
        ("toy.training.memory_gib", 1e300, "must be less than or equal to 1000000"),
        ("toy.training.num_threads", 10**10, "must be less than or equal to 1024"),
        ("toy.network.forget_bias", 1e300, "must be less than or equal to 100"),
        ("toy.text.case", "title", "must be 'keep', 'lower' or 'upper'"),
        ("toy.slices.scale", "x", "must be a valid number"),
        ("toy.slices.height", 3, "unknown key"),
        ("toy.corpora.0.reader", "nobody", "there are folder, manifest, synthetic"),
        ("toy.corpora.0.num_train", "many", "must be a valid integer"),
        ("toy.corpora.0.nonsense", 1, "unknown key"),
        ("toy.corpora", [], "a list of at least one corpus"),
        ("toy.corpora", [{"reader": "synthetic"}, {"reader": "synthetic"}], "'synthetic' stands twice"),
        ("toy.corpora", ["synthetic"], "a map with at least `reader`"),
        ("toy.corpora", [{"root": "x"}], "this key is needed"),
        ("toy.optimiser", {}, "unknown; allowed: corpora, text"),
        ("toy.prepare.test_share", 1.0, "must be less than 1"),
        ("toy.tune.alphas", [0.5, 200.0], "must be less than or equal to 100"),
        ("toy.tune.alphas", [-2.0], "must be greater than or equal to 0"),
        ("toy.tune.alphas", [], "at least 1 of them must stand there"),
        ("toy.tune.beam_widths", [0, 16], "must be greater than or equal to 1"),
        ("toy.text", 3, "must be an object"),
        ("toy.training.draw", {"synthetic": 0}, "must be greater than or equal to 1"),
        ("toy.training.draw", {"sinthetic": 10}, "no such corpus; there are synthetic"),
        ("toy.network.convolutions", [{"stride": [0, 2]}], "must be greater than or equal to 1"),
        ("toy.network.convolutions", [{"pool": [1, -2]}], "must be greater than or equal to 1"),
        ("toy.decoding.hotwords", {"two words": 3.0}, "each must be one word"),
        ("toy.decoding.hotwords", {"": 3.0}, "each must be one word"),
        ("toy", 3, "a map of sections"),
        ("toy.corpora.0.root", "a\0b", "must not hold a zero byte"),
        ("toy.corpora", [{"reader": "manifest", "root": "x", "manifest": "a\0b"}], "must not hold a zero byte"),
        ("toy.evaluate.voters", ["a\0b"], "must not hold a zero byte"),
        ("seed", -1, "must be greater than or equal to 0"),
        ("seed", "1", "must be a valid integer"),
        ("speed", 1, "unknown key"),
        ("modalities", ["smell"], "there are audio, ocr, toy"),
        ("modalities", [], "at least 1 of them must stand there"),
    ],
)
def test_each_mistake_is_one_line_with_key_and_file(params: Path, key: str, value: Any, words: str) -> None:
    (line,) = mistakes(write(params, (key, value)))
    assert line.startswith(f"{params}: {key}")
    assert words in line
    if not isinstance(value, list | dict) and value is not None and words != "unknown; allowed":
        assert repr(value) in line or "unknown" in line


@given(
    place=st.sampled_from(
        [
            ("seed",),
            ("toy", "corpora", 0, "num_train"),
            ("toy", "corpora", 0, "made_up"),
            ("toy", "prepare", "max_train_samples"),
            ("toy", "tune", "betas", 1),
            ("toy", "network", "convolutions", 0, "stride", 1),
            ("toy", "training", "stream", "samples"),
            ("toy", "training", "draw", "synthetic"),
            ("toy", "decoding", "rescoring", "weight"),
        ]
    ),
    number=st.sampled_from([math.inf, -math.inf, math.nan]),
)
def test_numbers_without_end_are_one_line(place: tuple[str | int, ...], number: float) -> None:
    """Shares of the synthetic corpus took .inf, and prepare ended in a traceback."""
    tree = {
        "seed": 1,
        "modalities": ["toy"],
        "toy": {
            "corpora": [{"reader": "synthetic"}],
            "prepare": {},
            "tune": {"betas": [0.0, 1.0]},
            "network": {"convolutions": [{"stride": [1, 1]}]},
            "training": {"stream": {}, "draw": {}},
            "decoding": {"engine": "beam", "rescoring": {}},
        },
    }
    *folders, last = place
    reduce(getitem, folders, tree)[last] = number
    with pytest.raises(SettingsError) as error:
        check(tree, "toy", "params.yaml")
    key = ".".join(map(str, place))
    assert f"params.yaml: {key}: {number}: must be a finite number" in str(error.value).splitlines()


def test_shares_of_the_synthetic_corpus_are_finite(params: Path) -> None:
    head = "seed: 1\nmodalities: [ocr]\n"
    params.write_text(f"{head}ocr:\n  corpora:\n    - reader: synthetic\n      words: .inf\n", "utf-8")
    with pytest.raises(SettingsError, match=r"params\.yaml: ocr\.corpora\.0\.words: inf: must be a finite number$"):
        read("ocr", path=params)


def test_sounds_are_not_written_from_right_to_left(params: Path) -> None:
    """A Hebrew transcript of speech is spoken in the order of its characters; turned round it could not be learnt."""
    speech = {"corpora": [{"reader": "synthetic"}], "text": {"direction": "rtl"}}
    with pytest.raises(SettingsError, match=r"audio\.text\.direction: 'rtl'"):
        read("audio", path=write(params, ("audio", speech)))
    assert read("toy", "text", path=write(params, ("toy.text.direction", "rtl"))).text.direction == "rtl"


def test_cepstra_are_not_changed_as_spectra(params: Path) -> None:
    """Masks of frequency, tone and vocal tract fell on cepstral coefficients, without a word."""
    names = ("recorder", "voice_cut", "vocal_tract_change", "equaliser", "gain", "tilt", "num_frequency_masks")
    tree = {"seed": 1, "modalities": ["audio"], "audio": {"corpora": [{"reader": "synthetic"}]}}
    tree["audio"] |= {"slices": {"kind": "mfcc"}, "augment": {"voice_cut": 0.5, "equaliser": 0.25, "recorder": 0.1}}
    params.write_text(json.dumps(tree), "utf-8")
    with pytest.raises(SettingsError) as error:
        read("audio", path=params)
    values = "recorder: 0.1, voice_cut: 0.5, vocal_tract_change: 0.05, equaliser: 0.25, gain: 0.1, tilt: 0.2, num_fre"
    assert f"audio.augment: {values}quency_masks: 2: with slices.kind: mfcc only 0" in str(error.value)
    tree["audio"]["augment"] = dict.fromkeys(names, 0)
    params.write_text(json.dumps(tree), "utf-8")
    assert read("audio", "augment", path=params).augment.noise > 0
    for kind in ("logmel", "linear"):
        tree["audio"] |= {"slices": {"kind": kind}, "augment": {"voice_cut": 0.5}}
        params.write_text(json.dumps(tree), "utf-8")
        assert read("audio", "augment", path=params).augment.tilt > 0


@pytest.mark.parametrize("normalise", ["utterance", "mean", "none"])
def test_a_recorder_needs_powers(params: Path, normalise: str) -> None:
    """Of features that are normalised each by itself nobody can tell which slice is loud."""
    tree = {"seed": 1, "modalities": ["audio"], "audio": {"corpora": [{"reader": "synthetic"}]}}
    tree["audio"] |= {"slices": {"normalise": normalise}, "augment": {"recorder": 0.5}}
    params.write_text(json.dumps(tree), "utf-8")
    message = rf"audio\.augment: recorder: 0\.5: with slices\.normalise: {normalise} only 0; spectrum is needed"
    with pytest.raises(SettingsError, match=message):
        read("audio", path=params)
    tree["audio"]["slices"]["normalise"] = "spectrum"
    params.write_text(json.dumps(tree), "utf-8")
    assert read("audio", "augment", path=params).augment.recorder == 0.5


def test_all_mistakes_at_once(params: Path) -> None:
    wrong = [("seed", "x"), ("toy.training.epochs", 0), ("toy.text.case", 1), ("toy.corpora.0.x", 1), ("nothing", 1)]
    lines = mistakes(write(params, *wrong))
    assert len(lines) == len(wrong)
    for key, _ in wrong:
        assert sum(f": {key}: " in line for line in lines) == 1


def test_other_modalities_are_checked_without_their_libraries(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "other", "no.such.module")
    tree = GOOD | {"other": {"corpora": [{"reader": "anything"}], "training": {"epochs": "many"}, "slices": {"x": 1}}}
    params.write_text(json.dumps(tree), "utf-8")
    (line,) = mistakes(params)
    assert "other.training.epochs" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seed: [1", "not YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"- 1\n", "a map of settings is needed, not a list"),
        (b"", "a map of settings is needed, not nothing"),
        (b"seed: 1\nseed: 2\n", "not YAML"),
        (b"seed: !!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_files_that_are_no_settings(params: Path, content: bytes, words: str) -> None:
    params.write_bytes(content)
    (line,) = mistakes(params)
    assert line.startswith(f"{params}: ") and words in line


def test_missing_file_says_what_to_do(params: Path) -> None:
    (line,) = mistakes(params)
    assert "no such file" in line and "pipelines.recipe" in line


def test_made_lines_are_read_as_the_texts_are(params: Path) -> None:
    """One setting for both: else letters would stand the other way round than the labels that a network learns."""
    stream = {"samples": 9, "generator": {"style": "scene"}}
    tree = {"corpora": [{"reader": "synthetic"}], "text": {"direction": "rtl"}, "pretraining": {"stream": stream}}

    def chosen() -> Any:
        params.write_text(json.dumps({"seed": 1, "modalities": ["ocr"], "ocr": tree}), "utf-8")
        return read("ocr", "corpora", "pretraining", path=params)

    assert chosen().corpora[0].own.direction == "rtl"
    stream["generator"] = {"direction": "ltr"}
    with pytest.raises(
        SettingsError, match=r"ocr\.pretraining\.stream\.generator\.direction: 'ltr': text\.direction says"
    ):
        chosen()
    tree["text"], stream["generator"] = {"direction": "ltr"}, {}
    assert chosen().corpora[0].own.direction == "ltr"
    tree["text"] = {"direction": "up"}
    with pytest.raises(SettingsError, match=r"^\S+: ocr\.text\.direction: 'up': must be 'ltr' or 'rtl'$"):
        chosen()


def test_a_bom_and_crlf_do_not_matter(params: Path) -> None:
    text = "seed: 1\r\nmodalities: [toy]\r\ntoy:\r\n  corpora:\r\n    - reader: synthetic\r\n"
    params.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read("toy", "seed", path=params).seed == 1


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(section=st.sampled_from(["corpora", "text", "training", "slices", "network", "prepare"]), value=trees)
def test_nothing_but_settings_errors(tmp_path_factory: pytest.TempPathFactory, section: str, value: Any) -> None:
    """Whatever stands in a section: it is accepted, or refused with a line that names the section."""
    path = write(tmp_path_factory.mktemp("settings") / "params.yaml", (f"toy.{section}", value))
    try:
        read("toy", section, path=path)
    except SettingsError as error:
        assert all(f": toy.{section}" in line for line in str(error).split("\n"))
