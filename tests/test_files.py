import errno
import json
import math
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import GlyphoneError
from common.files import (
    DISK_ERRORS,
    atomic,
    atomic_folder,
    read_json,
    read_jsonl,
    to_json,
    write_bytes,
    write_json,
    write_jsonl,
    write_text,
)
from tests.users import anybody

QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "file"
    with atomic(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and whole")
    assert path.read_bytes() == b"half and whole"
    assert names(path.parent) == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("existed", [True, False])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: type[BaseException], existed: bool) -> None:
    path = tmp_path / "file"
    if existed:
        write_bytes(path, b"old")
    with pytest.raises(error), atomic(path) as file:
        file.write(b"new")
        raise error
    assert names(tmp_path) == (["file"] if existed else [])
    assert not existed or path.read_bytes() == b"old"


def test_a_kill_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    code = f"""
import os, signal
from common.files import atomic
with atomic({str(path)!r}) as file:
    file.write(b"new" * 10_000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_two_writers_at_once_end_with_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic(path) as first, atomic(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() in (b"first", b"second")
    assert names(tmp_path) == ["file"]


def test_what_a_kill_left_is_removed_by_the_next_writer_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    dead = [tmp_path / ".a[1].x1.part", tmp_path / ".a[1].x2.part"]
    others = [tmp_path / ".b.x1.part", tmp_path / ".a[1].part", tmp_path / ".a1.x1.part"]
    for leftover in (*dead, *others):
        leftover.write_bytes(b"half")
    with atomic(tmp_path / "a[1]") as first:
        assert not any(leftover.exists() for leftover in dead)
        write_text(tmp_path / "a[1]", "second")  # the first is at work: its file stays
        first.write(b"first")
    assert (tmp_path / "a[1]").read_bytes() == b"first"
    assert names(tmp_path) == sorted(["a[1]", *(leftover.name for leftover in others)])


def test_what_a_kill_left_of_a_folder_is_removed_by_the_next_writer_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    program = (
        "import os, pathlib, sys\nfrom common.files import atomic_folder\n"
        "with atomic_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'file').write_text('half')\n    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a[1]"], check=False)
    (dead,) = tmp_path.iterdir()
    others = [tmp_path / ".a[1].mine.part", tmp_path / ".b.x1.part", tmp_path / ".a1.x1.part"]
    for other in others:
        other.mkdir()
        (other / "file").touch()
    (tmp_path / ".a[1].x2.part").touch()
    with atomic_folder(tmp_path / "a[1]") as first:
        assert not dead.exists()
        with atomic_folder(tmp_path / "a[1]"):
            assert first.exists()  # it is at work
        (tmp_path / "a[1]").rmdir()
    assert names(tmp_path) == sorted(["a[1]", ".a[1].x2.part", *(other.name for other in others)])


@pytest.mark.parametrize("name", ["a" * 255, "日" * 85, "😀" * 63, ".hidden" * 36])
def test_every_name_that_a_file_may_have_can_be_written(tmp_path: Path, name: str) -> None:
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes shorter names only")
    write_text(tmp_path / name, "whole")
    assert (tmp_path / name).read_text(encoding="utf-8") == "whole"
    with atomic_folder(tmp_path / "folder" / name) as folder:
        write_text(folder / "file", "whole")
    assert names(tmp_path / "folder" / name) == ["file"]
    assert names(tmp_path) == sorted([name, "folder"])


@pytest.mark.parametrize("number", sorted(DISK_ERRORS))
def test_a_full_disk_names_the_folder_that_was_to_be(tmp_path: Path, number: int) -> None:
    for named in (None, str(tmp_path / ".folder.part" / "file")):
        with pytest.raises(OSError, match=os.strerror(number)) as caught, atomic_folder(tmp_path / "folder"):
            raise OSError(number, os.strerror(number), named)
        assert caught.value.filename == str(tmp_path / "folder")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", sorted(DISK_ERRORS))
def test_a_full_disk_names_the_file_whoever_hides_it(tmp_path: Path, number: int) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(OSError, match=os.strerror(number)) as caught, atomic(path):
        try:
            raise OSError(number, os.strerror(number))
        except OSError:
            raise RuntimeError("unexpected position in the file")  # noqa: B904  (as torch.save does)
    assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert names(tmp_path) == ["file"] and path.read_bytes() == b"old"


def test_errors_of_others_stay_what_they_are(tmp_path: Path) -> None:
    for error in (
        ValueError("x"),
        OSError(errno.ENOSPC, "full", "elsewhere"),
        ConnectionError(errno.ECONNRESET, "gone"),
    ):
        with pytest.raises(type(error)) as caught, atomic(tmp_path / "file"):
            raise error
        assert caught.value is error


@QUICK
@given(value=values)
def test_json_is_read_as_written(tmp_path: Path, value: object) -> None:
    path = tmp_path / "a.json"
    write_json(path, value)
    assert read_json(path) == value
    before = path.read_bytes()
    write_json(path, read_json(path))
    assert path.read_bytes() == before
    assert before.endswith(b"\n") and b"\r" not in before


@QUICK
@given(value=objects)
def test_json_does_not_depend_on_the_order_of_keys(value: dict) -> None:
    assert to_json(value) == to_json(dict(reversed(value.items())))


def test_json_keeps_characters_readable() -> None:
    assert to_json({"b": "ß日", "a": 1}) == '{"a": 1, "b": "ß日"}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_refuses_numbers_that_no_reader_knows(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"rate": value})
    with pytest.raises(ValueError, match="JSON"):
        write_jsonl(tmp_path / "a.jsonl", [{"rate": value}])
    assert names(tmp_path) == []


@QUICK
@given(
    rows=st.lists(objects, max_size=6), byte_order_mark=st.booleans(), ends=st.sampled_from([b"\n", b"\r\n", b"\n\n"])
)
def test_json_lines_are_read_as_written(tmp_path: Path, rows: list[dict], byte_order_mark: bool, ends: bytes) -> None:
    path = tmp_path / "a.jsonl"
    assert write_jsonl(path, iter(rows)) == len(rows)
    assert path.read_bytes().count(b"\n") == len(rows)
    assert list(read_jsonl(path)) == rows
    # A file that went through Windows reads the same.
    written = path.read_bytes().replace(b"\n", ends)
    path.write_bytes(b"\xef\xbb\xbf" + written if byte_order_mark else written)
    assert list(read_jsonl(path)) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        (b'{"a": 1}\n\n[1]\n', "line 3: a JSON object is needed, not list"),
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: not JSON"),
        (b"\x00\x01", "line 1: not JSON"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(GlyphoneError, match=message) as caught:
        list(read_jsonl(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b'"\xff"', b"nope"])
def test_files_that_are_no_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(GlyphoneError, match="not JSON") as caught:
        read_json(path)
    assert str(path) in str(caught.value)


def test_files_that_do_not_exist(tmp_path: Path) -> None:
    for read in (read_json, lambda path: list(read_jsonl(path))):
        with pytest.raises(GlyphoneError, match="no such file"):
            read(tmp_path / "none")


def test_json_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert read_json(path) == {"a": 1}


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path, "x")
    assert caught.value.filename == str(tmp_path) and not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_where_no_file_can_be_made_the_one_that_was_to_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Not the temporary one, whose name nobody knows."""
    refused = Mock(side_effect=OSError(number, os.strerror(number), str(tmp_path / ".out.json.abc.part")))
    monkeypatch.setattr("common.files.tempfile.mkstemp", refused)
    with pytest.raises(OSError) as caught:
        write_json(tmp_path / "out.json", {})
    assert (caught.value.filename, caught.value.errno) == (str(tmp_path / "out.json"), number)
    monkeypatch.setattr("common.files.tempfile.TemporaryDirectory", refused)
    with pytest.raises(OSError) as caught, atomic_folder(tmp_path / "out"):
        pass
    assert (caught.value.filename, caught.value.errno) == (str(tmp_path / "out"), number)


def test_a_folder_that_cannot_be_written() -> None:
    with anybody() as folder:
        folder.chmod(0o500)
        with pytest.raises(PermissionError):
            write_text(folder / "a", "x")
