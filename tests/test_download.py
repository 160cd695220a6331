"""Downloads: resumed, checked, unpacked whole or not at all, never outside of their folder."""

import io
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common import download
from common.download import fetch, unpack
from common.errors import GlyphoneError
from tests.archive_server import Server, files, running, sha256, tar_of, zip_of

CONTENT = {"corpus/a.txt": b"one", "corpus/sub/b.wav": random.Random(0).randbytes(300_000)}


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.mark.parametrize("make", [tar_of, zip_of])
@pytest.mark.parametrize("num_cuts", [0, 2])
@pytest.mark.parametrize("ranges", [True, False])
def test_fetch(server: Server, tmp_path: Path, make: Callable[..., bytes], num_cuts: int, ranges: bool) -> None:
    server.archive, server.num_cuts, server.ranges = make(CONTENT), num_cuts, ranges
    fetch(server.url, sha256(server.archive), tmp_path / "data" / "corpus", pause_seconds=0)
    assert files(tmp_path / "data" / "corpus") == CONTENT
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["corpus"]
    if num_cuts and ranges:
        # Each attempt goes on where the one before was cut off.
        assert server.requests == ["", "bytes=100000-", "bytes=200000-"]


def test_a_new_start_goes_on(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.archive, server.num_cuts = zip_of(CONTENT), 1
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    with pytest.raises(GlyphoneError, match="start the same command again"):
        fetch(server.url, sha256(server.archive), tmp_path / "corpus", pause_seconds=0)
    assert not (tmp_path / "corpus").exists()
    fetch(server.url, sha256(server.archive), tmp_path / "corpus", pause_seconds=0)
    assert server.requests == ["", "bytes=100000-"]
    assert files(tmp_path / "corpus") == CONTENT


def test_a_finished_download_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    server.archive = zip_of(CONTENT)
    (tmp_path / "corpus.archive.part").write_bytes(server.archive)
    fetch(server.url, sha256(server.archive), tmp_path / "corpus", pause_seconds=0)
    assert files(tmp_path / "corpus") == CONTENT


def test_wrong_checksum(server: Server, tmp_path: Path) -> None:
    server.archive = zip_of(CONTENT)
    with pytest.raises(GlyphoneError, match=f"sha256 is {sha256(server.archive)}, not {'0' * 64}"):
        fetch(server.url, "0" * 64, tmp_path / "corpus", pause_seconds=0)
    assert not list(tmp_path.iterdir())


def test_not_found_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(GlyphoneError, match="404"):
        fetch(server.url, "0" * 64, tmp_path / "corpus", pause_seconds=0)
    assert len(server.requests) == 1


def tar_with(kind: bytes, name: str, target: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return file.getvalue()


def zip_link() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo("link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    return file.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        tar_of({"../evil": b"1"}),
        tar_of({"/tmp/evil": b"1"}),
        tar_of({"a/../../evil": b"1"}),
        zip_of({"../evil": b"1"}),
        zip_of({"/evil": b"1"}),
        zip_of({"..\\evil": b"1"}),
        zip_of({"C:evil": b"1"}),
        tar_with(tarfile.SYMTYPE, "link", "/etc"),
        tar_with(tarfile.LNKTYPE, "link", "../../etc/passwd"),
        tar_with(tarfile.CHRTYPE, "device"),
        tar_with(tarfile.FIFOTYPE, "pipe"),
        zip_link(),
        b"no archive at all",
        b"",
        tar_of(CONTENT)[:-1000],
        tar_of(CONTENT, "w")[:100_000],
    ],
    ids=range(16),
)
def test_bad_archives_leave_nothing(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "archive"
    path.write_bytes(archive)
    with pytest.raises(GlyphoneError):
        unpack(path, tmp_path / "in" / "corpus")
    assert list(tmp_path.rglob("*")) == [tmp_path / "in", path]


@settings(max_examples=50)
@given(st.integers(1, 400), st.binary(min_size=1, max_size=3))
@example(4, b"\x01")  # the list of files begins elsewhere: all of them would stand before the archive
@example(30, b"\xff")  # a name that is no UTF-8
def test_a_damaged_zip_is_one_line(tmp_path_factory: pytest.TempPathFactory, from_end: int, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    whole = bytearray(zip_of({"model/bundle.json": b"{}", "model/ü.txt": b"hello"}))
    place = max(0, len(whole) - from_end)
    whole[place : place + len(data)] = data
    (folder / "model.zip").write_bytes(whole)
    try:
        unpack(folder / "model.zip", folder / "model")
    except GlyphoneError as error:
        assert str(error).startswith(f"{folder}/model.zip: ")
        assert [path.name for path in folder.iterdir()] == ["model.zip"]


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_bombs_are_stopped(make: Callable[..., bytes], tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(make({str(number): bytes(1_000_000) for number in range(5)}))
    with pytest.raises(GlyphoneError, match="unpacks to more than"):
        unpack(path, tmp_path / "corpus", max_bytes=4_500_000)
    with pytest.raises(GlyphoneError, match="more than 4 files"):
        unpack(path, tmp_path / "corpus", max_members=4)
    assert list(tmp_path.iterdir()) == [path]
    unpack(path, tmp_path / "corpus", max_bytes=5_000_000, max_members=5)


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zip_of(CONTENT))
    (tmp_path / "corpus").mkdir()
    with pytest.raises(GlyphoneError, match="exists already"):
        unpack(tmp_path / "archive", tmp_path / "corpus")


def test_one_folder_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(tar_of(CONTENT | {"README": b"top"}))
    with pytest.raises(GlyphoneError, match="no folder 'corpus/nothing' in it"):
        unpack(tmp_path / "archive", tmp_path / "sub", "corpus/nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    unpack(tmp_path / "archive", tmp_path / "sub", "corpus/sub")
    assert files(tmp_path / "sub") == {"b.wav": CONTENT["corpus/sub/b.wav"]}


def test_a_full_disk_names_the_folder_that_was_to_be(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("file", bytes(300_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            unpack(archive, tmp_path / "folder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(tmp_path / "folder")
    assert [each.name for each in tmp_path.iterdir()] == ["a.zip"]
