"""A file of results that is gone on with: whole rows alone, wherever a program or a disk stopped it."""

import errno
import os

import pytest

from common.errors import GlyphoneError
from common.journal import Journal


def test_two_writers_of_one_file_are_told_apart(tmp_path):
    pytest.importorskip("fcntl")
    with Journal(tmp_path / "out", "", {}) as first:
        with (
            pytest.raises(GlyphoneError, match="another process is writing it"),
            Journal(tmp_path / "out", "", {}),
        ):
            pass
        first.add([("a", 1, "row\n")])
    assert (tmp_path / "out").read_text(encoding="utf-8") == "row\n"


def test_cut_anywhere_a_journal_goes_on_with_whole_rows(tmp_path):
    path = tmp_path / "out"
    rows = [(name, 7, f"{name} and ünder\nsecond line\n") for name in "abcd"]
    with Journal(path, "head\n", {"k": "v"}) as journal:
        for row in rows:
            journal.add([row])
    whole, account = path.read_bytes(), (tmp_path / "out.progress").read_bytes()
    for cut in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:cut])
        (tmp_path / "out.progress").write_bytes(account)
        with Journal(path, "head\n", {"k": "v"}) as journal:
            journal.add([row for row in rows if row[:2] not in journal.done])
        assert path.read_bytes() == whole
    for cut in range(0, len(account) + 1, 23):
        path.write_bytes(whole)
        (tmp_path / "out.progress").write_bytes(account[:cut])
        with Journal(path, "head\n", {"k": "v"}) as journal:
            journal.add([row for row in rows if row[:2] not in journal.done])
        assert path.read_bytes() == whole
        assert (tmp_path / "out.progress").read_bytes() == account


@pytest.mark.parametrize(
    "line",
    [
        '{"bytes": 1, "crc": 0, "end": 14, "input": ["c"]}',
        '{"bytes": [], "crc": 0, "end": 14, "input": "c"}',
        '{"bytes": 1, "crc": 0, "end": 1e9, "input": "c"}',
        "[" * 100_000,
    ],
)
def test_a_damaged_account_is_one_line(tmp_path, line):
    path = tmp_path / "out"
    with Journal(path, "", {}) as journal:
        journal.add([("a", 1, "row\n")])
    with open(tmp_path / "out.progress", "a", encoding="utf-8") as account:
        account.write(line + "\n")
    with pytest.raises(GlyphoneError, match=r"out\.progress: damaged; name another file"), Journal(path, "", {}):
        pass


@pytest.mark.parametrize("end", [10**17, 10**30])
def test_a_row_that_should_end_far_behind_the_file_was_cut_short(tmp_path, end):
    path = tmp_path / "out"
    with Journal(path, "", {}) as journal:
        journal.add([("a", 1, "row\n")])
    with open(tmp_path / "out.progress", "a", encoding="utf-8") as account:
        account.write(f'{{"bytes": 1, "crc": 0, "end": {end}, "input": "c"}}\n')
    with Journal(path, "", {}) as journal:
        assert journal.done == {("a", 1)}


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path, monkeypatch):
    path = tmp_path / "out"

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(path, "", {}) as journal:
        journal.add([("a", 1, "first\n")])
    with pytest.raises(GlyphoneError, match="No space left"), Journal(path, "", {}) as journal:
        monkeypatch.setattr("common.journal._sync", full)
        journal.add([("b", 1, "second\n")])
    monkeypatch.undo()
    with Journal(path, "", {}) as journal:
        assert journal.done == {("a", 1)}
        journal.add([("b", 1, "second\n")])
    assert path.read_text(encoding="utf-8") == "first\nsecond\n"


def test_without_rows_there_is_nothing_to_mix(tmp_path):
    """A command that ends before its first row, by an error or a kill, stands in the way of no other one."""
    out, progress = tmp_path / "out.csv", tmp_path / "out.csv.progress"
    with pytest.raises(GlyphoneError, match="no such device"), Journal(out, "path,text\n", {"engine": "beam"}):
        raise GlyphoneError("no such device")
    assert not out.exists() and not progress.exists()
    with Journal(out, "path,text\n", {"engine": "beam"}):
        pass  # as far as a kill leaves it
    with pytest.raises(GlyphoneError), Journal(out, "path,text\n", {"engine": "greedy"}) as journal:
        journal.add([("a.wav", 1, "a.wav,one\n")])
        raise GlyphoneError("one row is there")
    assert out.read_text() == "path,text\na.wav,one\n"
    with (
        pytest.raises(GlyphoneError, match="begun with engine greedy, now it is beam"),
        Journal(out, "path,text\n", {"engine": "beam"}),
    ):
        pass
    assert out.read_text() == "path,text\na.wav,one\n" and progress.exists()
