"""transcribe --verify: what reads otherwise alone is told, whatever happens to a file meanwhile; the others go on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import transcribe
from pipelines.recogniser import Recogniser
from tests.test_transcribe import model, sounds  # noqa: F401  (fixtures)


@pytest.fixture
def calls(model, sounds, tmp_path, capsys):  # noqa: F811
    """Two files of the test's own, and what transcribe --verify says of them: exit code, texts and errors."""
    paths = [shutil.copy(sounds / name, tmp_path / name) for name in ("02.wav", "03.wav")]

    def call(*more: str) -> tuple[int, list[str], list[str]]:
        output = tmp_path / "out.jsonl"
        names = [str(model), *map(str, paths), "--device", "cpu", "--verify", "-o", str(output)]
        code = transcribe.main([*names, *more])
        texts = [json.loads(line)["text"] for line in output.read_text(encoding="utf-8").splitlines()]
        return code, texts, [line for line in capsys.readouterr().err.splitlines() if "file/s" not in line]

    return call


def test_a_file_that_is_gone_ends_nothing(calls, monkeypatch):
    own = Recogniser.transcribe

    def without(self: Recogniser, path: str) -> object:
        if path.endswith("02.wav"):
            Path(path).unlink()
        return own(self, path)

    monkeypatch.setattr(Recogniser, "transcribe", without)
    code, texts, said = calls("--quiet")
    assert code == 1 and len(texts) == 2
    assert len(said) == 1 and said[0].startswith("--verify: ")
    assert said[0].endswith("02.wav: it cannot be read again: no such file")


def test_what_reads_otherwise_alone_was_transcribed_all_the_same(calls, monkeypatch):
    """It was called "not transcribed", though it stands in OUT, and a second call said nothing more of it."""
    own = Recogniser.transcribe
    monkeypatch.setattr(Recogniser, "transcribe", lambda self, path: replace(own(self, path), text="another"))
    code, texts, said = calls("--quiet")
    assert code == 1 and len(texts) == 2
    assert [line.split(": ", 2)[0] for line in said] == ["--verify"] * 2
    assert all(
        f"alone it reads 'another', among others {text!r}" in line for text, line in zip(texts, said, strict=True)
    )
    for options in ((), ("--quiet",)):  # quiet as well: silence and an exit code of 0 would say that they were
        code, _, said = calls(*options)
        assert code == 0 and len(said) == 1
        assert said[0].startswith("2 of 2 files are in ") and said[0].endswith("out.jsonl already, and not verified")
