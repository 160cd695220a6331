"""Transcribing needs the packages of requirements/transcribe.txt and no others: with all others refused it works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.recogniser import Recogniser
from tests.bare_environment import locked, transcribed_with_nothing_but
from tests.bare_models import random_bundle, write_input

REPOSITORY = Path(__file__).resolve().parent.parent
LOCK = REPOSITORY / "requirements" / "transcribe.txt"
# What an import of each is for: training, pipelines, generators, tests.
EXTRAS = {"dvc", "hibari-tts", "scipy", "jinja2", "onnx", "onnxruntime", "pytest", "zxcvbn", "ruamel-yaml", "psutil"}


def test_the_lock_is_a_part_of_all_requirements() -> None:
    bare, base = locked(LOCK), locked(REPOSITORY / "requirements" / "base.txt")
    assert bare < base
    assert not bare & (EXTRAS - {"jinja2"})  # torch asks for that one
    assert not any(name.startswith("fontpkg") for name in bare)
    pins = (REPOSITORY / "requirements" / "base.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line} <= set(pins)


@pytest.mark.parametrize("name", ["audio", "ocr"])
def test_it_transcribes_without_any_other_package(name: str, tmp_path: Path) -> None:
    model, file, out = random_bundle(tmp_path / "model", name), write_input(tmp_path, name), tmp_path / "texts.jsonl"
    text, refused = transcribed_with_nothing_but(LOCK, model, file, out)
    assert text == json.loads(out.read_text(encoding="utf-8"))["text"]
    assert text == Recogniser.load(model, "cpu").transcribe(file).text
    assert len(text) > 3
    assert "scipy" in refused  # numba asks for it and does without: so something was refused


def test_a_package_outside_of_the_lock_is_refused() -> None:
    code = (
        "from pathlib import Path\nfrom tests.bare_environment import refuse_all_but\n"
        f"refuse_all_but(Path({str(LOCK)!r}))\nimport numpy\n"
        "try:\n    import dvc\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "No module named 'dvc'\n"


def test_weights_have_no_metadata(tmp_path: Path) -> None:
    data = (random_bundle(tmp_path / "model", "audio") / "model.safetensors").read_bytes()
    assert "__metadata__" not in json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
