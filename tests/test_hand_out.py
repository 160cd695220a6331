"""A handed-out model: its card says what the figures say, its digests hold, and it transcribes as the folder did."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from benchmarks import models
from common.archive import SUMS, sums_of, unpacked, write_zip
from common.decoding import DecodingSettings
from common.errors import GlyphoneError
from common.files import write_json, write_text
from common.output import shown
from common.scoring import ScoredRow, score
from pipelines import adapt, hand_out, transcribe
from pipelines.hand_out_card import rate
from pipelines.hand_out_limits import limits
from pipelines.recogniser import Recogniser
from tests.bare_models import SUMMARY, random_bundle, write_input
from tests.damage import JUNK, changed, places_of

TRAINING = {"seconds": 744.0, "epochs": 9, "best_epoch": 7, "device": "cpu", "num_threads": 2}
WHITELIST = "abcde "
CONDITION = ("samples", "words", "characters", "exact", "exact_ignoring_case")


def write_results(folder: Path, model: Path, num_rows: int = 40) -> Path:
    """Results of an evaluation as evaluate writes them: every fourth text has one wrong word of two."""
    rows = [
        ScoredRow(f"{n:03}", f"{'ab'[n % 2]}/{n % 5}", "cab bed", "cab bad" if n % 4 == 0 else "cab bed", n % 3 == 0, n)
        for n in range(num_rows)
    ]
    metrics = score(rows, num_samples=50) | {"validation": score(rows[:20], num_samples=50)}
    parts = {name: score([row for row in rows if row.group.startswith(name)], num_samples=50) for name in "ab"}
    metrics["by_condition"] = {name: {key: part[key] for key in CONDITION} for name, part in parts.items()}
    metrics["decoder"] = {"engine": "greedy", "whitelist": WHITELIST}
    write_json(folder / "metrics.json", metrics)
    num_parameters = json.loads((model / "bundle.json").read_text(encoding="utf-8"))["summary"]["num_parameters"]
    write_json(folder / "training.json", TRAINING | {"num_parameters": num_parameters})
    header = "confusion,kind,reference,hypothesis,count\n"
    write_text(
        folder / "errors.csv", header + "e → a,substitution,e,a,10\n'= → |,substitution,'=,|,3\n x,insertion,,x,1\n"
    )
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Model folder, results folder, archive."""
    folder = tmp_path_factory.mktemp("handed_out")
    model = random_bundle(folder / "model", "audio")
    write_json(model / "language" / "decoding.json", {"settings": {"whitelist": WHITELIST}})
    results = write_results(folder / "results", model)
    arguments = [model, results, "-o", folder / "mine.zip", "--command", "make repro RECIPE=mine", "--commit", "c0ffee"]
    assert hand_out.main(list(map(str, arguments))) == 0
    return model, results, folder / "mine.zip"


@pytest.fixture(scope="module")
def card(made: tuple[Path, Path, Path]) -> str:
    with zipfile.ZipFile(made[2]) as archive:
        return archive.read("mine/README.md").decode("utf-8")


def rows_of(card: str, first: str) -> list[list[str]]:
    """Cells of the card's table rows that begin with a cell."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in card.splitlines() if line[:1] == "|"]
    return [row for row in rows if row[0] == first]


def test_the_card_says_what_the_metrics_say(made: tuple[Path, Path, Path], card: str) -> None:
    metrics = json.loads((made[1] / "metrics.json").read_text(encoding="utf-8"))
    for name, part in (("word error rate", metrics["words"]), ("character error rate", metrics["characters"])):
        (row,) = rows_of(card, name)
        assert float(row[1]) == pytest.approx(part["rate"], abs=5e-4)
        assert [float(each) for each in row[2].split(" to ")] == pytest.approx([part["low"], part["high"]], abs=5e-4)
        assert row[3].startswith(f"{part['errors']} of {part['reference']}: {part['substitutions']} substituted")
    assert metrics["words"]["errors"] == 10  # else it would compare zeros
    for name, key in (("transcript also in training", "seen"), ("transcript not in training", "unseen")):
        (row,) = rows_of(card, name)
        assert int(row[1]) == metrics["by_transcript"][key]["samples"]
        assert float(row[2]) == pytest.approx(metrics["by_transcript"][key]["words"]["rate"], abs=5e-4)
    for name, part in metrics["by_condition"].items():
        (row,) = rows_of(card, f"condition {name}")
        assert float(row[2]) == pytest.approx(part["words"]["rate"], abs=5e-4)
    assert len({part["words"]["rate"] for part in metrics["by_condition"].values()}) == 2


def test_the_card_names_data_licences_making_and_limits(card: str) -> None:
    assert rows_of(card, "mine")[0][1:] == ["7", "CC BY 4.0"]
    assert rows_of(card, "voices")[0][1:] == ["3", "not stated"]
    assert rows_of(card, "command")[0][1] == "`make repro RECIPE=mine`"
    assert rows_of(card, "commit of the code")[0][1] == "`c0ffee`"
    assert "9 epochs in 12.4 minutes on cpu, threads: 2, float32; kept: epoch 7" in rows_of(card, "training")[0][1]
    assert "Decoder: greedy, whitelist of 6 characters." in card
    assert "It writes 6 of the 8 characters that it has learnt: `␣abcde`" in card
    assert "- Its decoder's whitelist leaves out `fg`, which it has learnt; " in card
    assert "1 convolution and a bidirectional recurrent network of 1 layer (`lstm`) of 12 units a direction, " in card
    assert "speakers, rooms, fonts or papers may well be higher" in card
    assert "`e` → `a` (10), `=` → `|` (3), ∅ → `x` (1)" in card
    assert "one of more than 60 s is cut where it is quietest" in card


def test_the_front_matter_is_yaml_with_the_figures(made: tuple[Path, Path, Path], card: str) -> None:
    head = YAML(typ="safe").load(card.split("---\n")[1])
    metrics = json.loads((made[1] / "metrics.json").read_text(encoding="utf-8"))
    (result,) = head["model-index"][0]["results"]
    assert head["pipeline_tag"] == result["task"]["type"] == "automatic-speech-recognition"
    assert head["license"] == "other"
    values = {each["type"]: each["value"] for each in result["metrics"]}
    expected = {"wer": metrics["words"]["rate"], "cer": metrics["characters"]["rate"]}
    assert values == pytest.approx(expected, abs=1e-6)


def test_the_archive_transcribes_as_the_folder_does(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, archive = made
    sound = write_input(tmp_path, "audio")
    texts = [Recogniser.load(each, "cpu").transcribe(sound).text for each in (model, archive)]
    assert texts[0] == texts[1]
    for number, each in enumerate((model, archive)):
        assert transcribe.main([str(each), str(sound), "--quiet", "-o", str(tmp_path / f"{number}.jsonl")]) == 0
    assert (tmp_path / "0.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()
    assert len(texts[0]) > 3
    assert set(texts[0]) <= set(WHITELIST)  # as the settings in the folder `language` say


def test_the_same_model_gives_the_same_bytes_and_digests_hold(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, results, archive = made
    again = hand_out.hand_out(model, results, tmp_path / "mine.zip", command="make repro RECIPE=mine", commit="c0ffee")
    assert again == hashlib.sha256(archive.read_bytes()).hexdigest()
    hand_out.hand_out(model, results, tmp_path / "folder", name="mine")
    names = {
        path.relative_to(tmp_path / "folder").as_posix() for path in (tmp_path / "folder").rglob("*") if path.is_file()
    }
    with zipfile.ZipFile(archive) as members:
        assert {f"mine/{name}" for name in names} == set(members.namelist())
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=tmp_path / "folder", check=True)
    with pytest.raises(GlyphoneError, match="exists already"):
        hand_out.hand_out(model, results, tmp_path / "folder")


def test_results_of_another_model_are_refused(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, results, _ = made
    for path in results.iterdir():
        write_text(tmp_path / path.name, path.read_text(encoding="utf-8"))
    write_json(tmp_path / "training.json", json.loads((results / "training.json").read_text()) | {"best_epoch": 3})
    with pytest.raises(GlyphoneError, match=r"best_epoch is 3, of .* it is 7: these are not the results of this model"):
        hand_out.hand_out(model, tmp_path, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: files | {"bundle.json": files["bundle.json"] + b" "}, "bundle.json is missing or damaged"),
        (lambda files: {name: data for name, data in files.items() if name != "model.safetensors"}, "is missing or"),
        (lambda files: files | {SUMS: b"0" * 64 + b"  ../secret\n"}, "no digest and name"),
        (lambda files: {"README.md": b""}, "holds 0 models"),
        (lambda files: files | {"../out": b""}, "leads out of the folder"),
    ],
)
def test_a_damaged_archive_is_one_line(
    made: tuple[Path, Path, Path], tmp_path: Path, spoil: Callable[[dict], dict], message: str
) -> None:
    with zipfile.ZipFile(made[2]) as archive:
        files = {name.removeprefix("mine/"): archive.read(name) for name in archive.namelist()}
    write_zip(tmp_path / "bad.zip", "mine", spoil(files))
    with pytest.raises(GlyphoneError, match=message) as raised:
        Recogniser.load(tmp_path / "bad.zip", "cpu")
    assert "\n" not in str(raised.value)
    with pytest.raises(GlyphoneError, match="limit of bytes"), unpacked(made[2], max_bytes=1000):
        pass


@settings(max_examples=20)
@given(st.dictionaries(st.text("ab/.", min_size=1, max_size=6), st.binary(max_size=9), min_size=1))
def test_sums_name_every_file_once(files: dict[str, bytes]) -> None:
    lines = dict(reversed(line.split("  ")) for line in sums_of(files).splitlines())
    assert lines == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_rates() -> None:
    assert [rate(value) for value in (None, 0.0647, 0.5, 1.25)] == ["–", "0.0647", "0.500", "1.250"]


def test_the_commit_is_that_of_the_checkout(repository: Path, tmp_path: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    assert hand_out.code_version(repository).split(" ")[0] == head.stdout.strip()
    assert hand_out.code_version(tmp_path) == ""


def test_make_models_packs_what_the_workspaces_hold(
    made: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, results, _ = made
    ran = []

    def run_recipe(workspace: str, recipe: str, modality: str, needs_data: bool) -> None:
        if recipe == "fsdd_official":
            raise GlyphoneError("the real corpora are not there")
        ran.append((workspace, recipe, modality, needs_data))
        for source, target in ((model, "models"), (results, "results")):
            folder = tmp_path / workspace / target / modality
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(source)

    monkeypatch.setattr("benchmarks.recipes.run_recipe", run_recipe)
    monkeypatch.setattr("benchmarks.workspace.WORKSPACES", tmp_path)
    assert models.main(["an4", "fsdd_official", "default", "-o", str(tmp_path / "dist")]) == 1
    output = capsys.readouterr()
    assert output.err == "not built: fsdd_official: the real corpora are not there\n"
    assert [row[1:] for row in ran] == [("an4", "audio", True), ("default", "audio", False), ("default", "ocr", False)]
    assert (tmp_path / "dist" / SUMS).read_text(encoding="utf-8").splitlines() == sorted(
        output.out.splitlines(), key=lambda line: line[66:]
    )
    with zipfile.ZipFile(tmp_path / "dist" / "an4.zip") as archive:
        assert "`make repro RECIPE=an4`" in archive.read("an4/README.md").decode("utf-8")
    with pytest.raises(GlyphoneError, match=r"^recipe 'an5': models are handed out of default, an4, "):
        models.main(["an5"])


def test_recipes_that_are_handed_out_exist(repository: Path) -> None:
    assert {f"{recipe}.yaml" for recipe in models.MODELS} <= {path.name for path in (repository / "recipes").iterdir()}
    assert SUMMARY["best_epoch"] == TRAINING["best_epoch"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(["bundle.json", "metrics.json", "training.json", "errors.csv"]), data=st.data())
def test_damaged_files_are_named(made: tuple[Path, Path, Path], tmp_path: Path, file: str, data: st.DataObject) -> None:
    folder = Path(shutil.copytree(made[0].parent, tmp_path / "all", dirs_exist_ok=True))
    path = folder / ("model" if file == "bundle.json" else "results") / file
    content = path.read_bytes()
    if file.endswith("json") and data.draw(st.booleans()):
        tree = json.loads(content)
        place = data.draw(st.sampled_from(list(places_of(tree))))
        path.write_text(json.dumps(changed(tree, place, data.draw(st.sampled_from(JUNK)))), encoding="utf-8")
    else:
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut] + data.draw(st.binary(max_size=3)))
    try:
        hand_out.contents(folder / "model", folder / "results", "mine", "mine.zip", None, "")
    except GlyphoneError as error:
        assert "\n" not in str(error) and file in str(error)


@pytest.mark.parametrize("name", ["AN4: digits", "speech/an4", "../x"])
def test_whatever_the_card_calls_it_the_archive_opens(made: tuple[Path, Path, Path], tmp_path: Path, name: str) -> None:
    hand_out.hand_out(made[0], made[1], tmp_path / "a.zip", name=name)
    with unpacked(tmp_path / "a.zip") as folder:
        assert f"# {name}:" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["a b.zip", "A.ZIP", "größe.zip", os.fsdecode(b"gr\xf6\xdfe.zip"), "..zip"])
def test_whatever_the_archive_is_called_its_card_says_how_it_is_read(
    made: tuple[Path, Path, Path], tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / file
    assert hand_out.main([str(made[0]), str(made[1]), "-o", str(output), "--name", "AN4: digits"]) == 0
    assert capsys.readouterr().out.split("  ")[0] == hashlib.sha256(output.read_bytes()).hexdigest()
    with unpacked(output) as folder:
        text = (folder / "README.md").read_text(encoding="utf-8")
    command = next(line for line in text.splitlines() if "pipelines.transcribe" in line)
    assert shlex.split(command)[2:] == ["pipelines.transcribe", shown(file), "FILES…"]


def test_arguments_that_are_not_utf8_stand_in_the_card(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    odd = os.fsdecode(b"gr\xf6\xdfe")
    options = [part for key in ("--name", "--command", "--commit") for part in (key, odd)]
    assert hand_out.main([str(made[0]), str(made[1]), "-o", str(tmp_path / "new"), *options]) == 0
    text = (tmp_path / "new" / "README.md").read_text("utf-8")
    assert "# gr\\\\xf6\\\\xdfe: " in text and text.count("`gr\\xf6\\xdfe`") == 2


def test_an_adapted_archive_keeps_no_digest_of_the_old_weights(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    sound, new = write_input(tmp_path, "audio"), tmp_path / "new"
    assert adapt.main([str(made[2]), str(sound), "-o", str(new), "--rounds", "1"]) == 0
    names = {path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()}
    assert names == {"README.md", "bundle.json", "model.safetensors", "language/decoding.json"}


def test_a_subset_without_samples_has_no_error_rate_in_the_card(made: tuple[Path, Path, Path]) -> None:
    rows = [ScoredRow(str(n), f"g{n}", "cab bed", "cab bad", False, n) for n in range(9)]
    description = json.loads((made[0] / "bundle.json").read_text(encoding="utf-8"))
    sentences = limits(description, score(rows, num_samples=50), [], DecodingSettings())
    assert sentences and not any("errs 0.000" in sentence for sentence in sentences)


def test_results_of_other_weights_are_refused(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", made[0])
    own = json.loads((made[0] / "bundle.json").read_text(encoding="utf-8"))["weights_sha256"]
    for digest, right in ((own, True), ("0" * 64, False)):
        metrics = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
        write_json(results / "metrics.json", metrics | {"weights_sha256": digest})
        if right:
            hand_out.hand_out(made[0], results, tmp_path / "a.zip")
        else:
            with pytest.raises(GlyphoneError, match="of other weights than those of"):
                hand_out.hand_out(made[0], results, tmp_path / "b.zip")
