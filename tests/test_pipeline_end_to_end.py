"""A miniature of both pipelines in a copy of the checkout, through DVC as a person runs it. Minutes: marked slow."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.recipes import override
from benchmarks.workspace import commit, copy_tree, environment
from pipelines.hand_out_card import rate
from tests.bare_environment import transcribed_with_nothing_but
from tests.bare_models import write_input

MODALITIES = ("audio", "ocr")
STAGES = ("prepare", "extract", "pretrain", "train", "lm", "tune", "evaluate", "report")
RECIPE = "tests/recipes/mini.yaml"
# What eight epochs of the miniature reach with room to spare; a network that learned nothing stays at 0.8 to 1.
MOST_CHARACTER_ERRORS = {"audio": 0.65, "ocr": 0.4}

pytestmark = pytest.mark.slow


class Copy:
    """A copy of the checkout with commands run in it, cut off from the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str) -> str:
        """Standard output and error of a Python module's command, which must succeed."""
        # Whoever calls home through a proxy finds none: what these tests do must work offline.
        offline = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=environment() | offline,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}"
        return done.stdout

    def repro(self) -> tuple[set[str], set[str]]:
        """Run ``dvc repro``: (stages that ran, stages that the run cache served)."""
        output = self.run("dvc", "repro")
        ran = {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}
        cached = {line.split("'")[1] for line in output.splitlines() if "is cached - skipping run" in line}
        return ran, cached

    def set(self, **overrides: object) -> None:
        """Set parameters; ``__`` stands for the dots of their keys."""
        override(self.folder / "params.yaml", {key.replace("__", "."): value for key, value in overrides.items()})

    def digests(self, *folders: str) -> dict[str, str]:
        """Relative path → SHA-256 of all files below folders."""
        files = [path for folder in folders for path in (self.folder / folder).rglob("*") if path.is_file()]
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
        }

    def metrics(self, modality: str) -> dict:
        return json.loads((self.folder / "results" / modality / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The copy after one ``dvc repro`` of the miniature recipe."""
    folder = tmp_path_factory.mktemp("end_to_end") / "glyphone"
    copy_tree(folder)
    made = Copy(folder)
    made.run("pipelines.recipe", RECIPE)
    commit(folder)
    ran, _ = made.repro()
    assert ran == {f"{stage}@{modality}" for stage in STAGES for modality in MODALITIES}
    yield made
    shutil.rmtree(folder)


@pytest.mark.parametrize("modality", MODALITIES)
def test_results_are_there(copy: Copy, modality: str) -> None:
    results = copy.folder / "results" / modality
    tables = ("history.csv", "lengths.csv", "errors.csv")
    for name in ("report.html", "metrics.json", "scores.json", "training.json", "hypotheses.jsonl", *tables):
        assert (results / name).stat().st_size > 0, name
    assert "<html" in (results / "report.html").read_text(encoding="utf-8")[:500]
    assert {path.name for path in (copy.folder / "models" / modality).iterdir()} >= {
        "model.safetensors",
        "bundle.json",
        "README.md",
    }


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_network_learned(copy: Copy, modality: str) -> None:
    assert copy.metrics(modality)["characters"]["rate"] < MOST_CHARACTER_ERRORS[modality]


def test_a_second_repro_runs_nothing(copy: Copy) -> None:
    started = time.monotonic()
    assert copy.repro() == (set(), set())
    assert time.monotonic() - started < 10


def test_an_evaluation_parameter_reruns_evaluation_only_and_switching_back_is_served(copy: Copy) -> None:
    before = copy.digests("results")
    copy.set(ocr__evaluate__confidence=0.5)
    ran, _ = copy.repro()
    assert "evaluate@ocr" in ran
    assert ran <= {"evaluate@ocr", "report@ocr"}
    assert copy.digests("results") != before
    copy.set(ocr__evaluate__confidence=0.95)
    ran, cached = copy.repro()
    assert ran == set()
    assert "evaluate@ocr" in cached
    assert copy.digests("results") == before


def test_metrics_and_parameters_are_shown_offline(copy: Copy) -> None:
    shown = json.loads(copy.run("dvc", "metrics", "show", "--json"))
    files = shown[""]["data"]
    for modality in MODALITIES:
        data = files[f"results/{modality}/scores.json"]["data"]
        assert data["character_error_rate"] == copy.metrics(modality)["characters"]["rate"]
        # The whole tree would be hundreds of columns.
        assert f"results/{modality}/metrics.json" not in files
        assert all(isinstance(value, int | float) for value in data.values())

    copy.set(audio__training__epochs=9)
    changed = json.loads(copy.run("dvc", "params", "diff", "--json"))
    assert changed["params.yaml"]["audio.training.epochs"] == {"old": 8, "new": 9, "diff": 1}
    copy.set(audio__training__epochs=8)


def test_plots_are_drawn_without_a_network(copy: Copy) -> None:
    # As make setup does.
    copy.run("pipelines.plots_page", ".dvc/plots.html")
    copy.run("dvc", "config", "--local", "plots.html_template", "plots.html")
    copy.run("dvc", "plots", "show")
    page = copy.folder / "dvc_plots" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert "validation_wer" in text
    assert not re.search(r"<script[^>]*src=|<link[^>]*href=", text)
    num_plots = text.count("vegaEmbed('#")
    assert num_plots >= 4

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: the page was written but not opened")
    from playwright.sync_api import sync_playwright

    mistakes: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_context(offline=True).new_page()
        opened.on("pageerror", lambda error: mistakes.append(str(error)))
        opened.on("console", lambda message: mistakes.append(message.text) if message.type == "error" else None)
        opened.goto(page.as_uri())
        opened.wait_for_function(
            f"document.querySelectorAll('.vega-embed canvas, .vega-embed svg.marks').length >= {num_plots}"
        )
        browser.close()
    assert mistakes == []


def test_all_up_to_the_evaluation_give_the_same_bytes_twice(copy: Copy) -> None:
    folders = [f"{top}/{modality}" for top in ("data", "models") for modality in MODALITIES]
    before = copy.digests(*folders)
    for folder in folders:
        shutil.rmtree(copy.folder / folder)
    shutil.rmtree(copy.folder / ".state", ignore_errors=True)
    for modality in MODALITIES:
        for stage in ("prepare", "extract", "pretrain", "train", "lm", "tune"):
            copy.run(f"pipelines.{stage}", modality)
    again = copy.digests(*folders)
    names = {name for name in before if not name.endswith(".gitignore")}
    assert {name: again.get(name) for name in names} == {name: before[name] for name in names}


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_model_is_handed_out(copy: Copy, modality: str, tmp_path: Path) -> None:
    """As an archive with a card, as ONNX, and to a machine that has nothing but the packages of transcribing."""
    archive = tmp_path / "mini.zip"
    copy.run("pipelines.hand_out", f"models/{modality}", f"results/{modality}", "-o", str(archive))
    with zipfile.ZipFile(archive) as members:
        card = members.read("mini/README.md").decode("utf-8")
    assert f"| character error rate | {rate(copy.metrics(modality)['characters']['rate'])} |" in card
    assert "differ from the network's by" in copy.run("pipelines.export_onnx", str(archive), str(tmp_path / "m.onnx"))
    lock, file, out = copy.folder / "requirements/transcribe.txt", write_input(tmp_path, modality), tmp_path / "t.jsonl"
    text, _ = transcribed_with_nothing_but(lock, archive, file, out)
    assert json.loads(out.read_text(encoding="utf-8"))["text"] == text


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_model_transcribes_a_file(copy: Copy, modality: str, tmp_path: Path) -> None:
    if modality == "audio":
        import numpy as np
        import soundfile

        file = tmp_path / "tone.wav"
        soundfile.write(file, 0.1 * np.sin(np.arange(16000) / 20), 16000)
    else:
        from PIL import Image, ImageDraw

        file = tmp_path / "word.png"
        image = Image.new("L", (120, 40), 255)
        ImageDraw.Draw(image).text((10, 12), "Hello", fill=0)
        image.save(file)
    output = tmp_path / "texts.jsonl"
    copy.run("pipelines.transcribe", f"models/{modality}", str(file), "-o", str(output), "-f", "jsonl")
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 1
    assert isinstance(rows[0]["text"], str)
