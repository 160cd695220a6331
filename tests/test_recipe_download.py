"""``pipelines.recipe NAME --download``: what is missing, checked, gone on with; LibriSpeech from a local server."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from audio.corpora import librispeech
from common import download
from common.errors import GlyphoneError
from pipelines.listing import listing
from pipelines.recipe import main
from pipelines.settings import load
from tests.archive_server import Server, files, running, sha256, tar_of

PARTS = ("train-clean-100", "dev-clean", "test-clean")


def part(name: str) -> dict[str, bytes]:
    folder = f"{name}/19/198/19-198"
    return {
        f"{folder}.trans.txt": b"19-198-0000 HELLO\n",
        f"{folder}-0000.flac": random.Random(name).randbytes(150_000),
    }


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server with the three parts of the recipe, in the layout of the real archives; an empty workspace."""
    with running() as server:
        for name in PARTS:
            content = {f"LibriSpeech/{path}": data for path, data in part(name).items()}
            server.archives[f"/{name}.tar.gz"] = tar_of(content | {"LibriSpeech/README.TXT": b"read me"})
        sums = {name: sha256(server.archives[f"/{name}.tar.gz"]) for name in PARTS}
        monkeypatch.setattr(librispeech, "ADDRESS", f"http://127.0.0.1:{server.server_port}/{{name}}.tar.gz")
        monkeypatch.setattr(librispeech, "CHECKSUMS", sums | {"train-other-500": "0" * 64})
        monkeypatch.setattr(download, "ATTEMPTS", 1)
        monkeypatch.delenv("GLYPHONE_DATA", raising=False)
        (tmp_path / "workspace").mkdir()
        monkeypatch.chdir(tmp_path / "workspace")
        Path("recipes").symlink_to(Path(__file__).parent.parent / "recipes")
        yield server


def test_recipe_downloads_what_its_settings_name(mirror: Server) -> None:
    main(["librispeech", "--download"])
    root = Path("corpora/speech/librispeech")
    assert files(root) == {f"LibriSpeech/{path}": data for name in PARTS for path, data in part(name).items()}
    (entry,) = load("params.yaml")["audio"]["corpora"]
    assert entry["listing"] == listing(root)
    assert mirror.paths == [f"/{name}.tar.gz" for name in PARTS]
    main(["librispeech", "--download"])
    assert len(mirror.paths) == 3


@pytest.mark.parametrize("top", ["", "LibriSpeech/"])
def test_recipe_downloads_only_what_is_missing(
    mirror: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: str
) -> None:
    root = tmp_path / "data" / "speech" / "librispeech"
    (root / top / "train-clean-100").mkdir(parents=True)
    monkeypatch.setenv("GLYPHONE_DATA", str(tmp_path / "data"))
    main(["librispeech", "--download"])
    assert mirror.paths == ["/dev-clean.tar.gz", "/test-clean.tar.gz"]
    assert sorted(path.name for path in (root / top).iterdir()) == sorted(PARTS)


def test_recipe_goes_on_after_an_interruption(mirror: Server) -> None:
    mirror.num_cuts = 1
    with pytest.raises(GlyphoneError, match="start the same command again"):
        main(["librispeech", "--download"])
    assert not Path("params.yaml").exists()
    assert not list(Path("corpora").rglob("*.trans.txt"))
    main(["librispeech", "--download"])
    assert mirror.requests == ["", "bytes=100000-", "", ""]
    assert not list(Path("corpora").rglob("*.part"))
    assert len(list(Path("corpora").rglob("*.trans.txt"))) == 3


def test_recipe_refuses_a_wrong_checksum(mirror: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(librispeech.CHECKSUMS, "dev-clean", "1" * 64)
    with pytest.raises(GlyphoneError, match=r"dev-clean\.tar\.gz: sha256 is .*, not 1111"):
        main(["librispeech", "--download"])
    assert not Path("params.yaml").exists()
    assert [path.name for path in Path("corpora/speech/librispeech/LibriSpeech").iterdir()] == ["train-clean-100"]


def test_recipe_checks_its_settings_before_it_downloads(mirror: Server) -> None:
    Path("mine.yaml").write_text("audio: {corpora: [{reader: librispeech, root: here, train: 1}]}")
    with pytest.raises(GlyphoneError, match="train: 1: must be a valid"):
        main(["mine.yaml", "--download"])
    assert not mirror.paths


@pytest.mark.parametrize(("arguments", "words"), [
    (["librispeech"], r"or call with --download \(make: DOWNLOAD=1\)"),
    (["an4", "--download"], "or fetch it by hand: no checked download is known for an4"),
])  # fmt: skip
def test_missing_corpus_says_whether_it_can_be_fetched(mirror: Server, arguments: list[str], words: str) -> None:
    with pytest.raises(GlyphoneError, match=words):
        main(arguments)
    assert not mirror.paths
