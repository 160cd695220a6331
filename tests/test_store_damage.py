"""Whatever happens to a store's bytes, a StoreError tells; nothing damaged is ever handed out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import FEATURES, SAME_FOLDER, some_rows, write

import common.store
from common.errors import GlyphoneError
from common.store import Store, StoreError


def content(store: Store) -> list[tuple]:
    return [
        (
            store.ids[i],
            store.groups[i],
            store.texts[i],
            store.slices(i).tobytes(),
            store.slices(i).shape,
            store.preview(i),
        )
        for i in range(len(store))
    ]


@settings(SAME_FOLDER, max_examples=250)
@given(data=st.data())
def test_a_flipped_bit_never_passes(tmp_path: Path, data: st.DataObject) -> None:
    """One flipped bit anywhere: either what is read is unchanged, or a StoreError tells."""
    path = tmp_path / "good.arrow"
    if not path.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(common.store, "BATCH_BYTES", 60)
            write(path, some_rows())
    wanted = content(Store(path))
    damaged = bytearray(path.read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    bad = tmp_path / "bad.arrow"
    bad.write_bytes(damaged)
    try:
        found = content(Store(bad))
    except StoreError as error:
        assert str(bad) in str(error) and "\n" not in str(error)
    else:
        assert found == wanted


@pytest.mark.parametrize("what", ["slices", "text", "preview"])
def test_the_damaged_sample_is_named(tmp_path: Path, what: str) -> None:
    marked = np.full((6, FEATURES), 3.25, np.float32)
    rows = some_rows()
    rows[3] = ("the-one", "g", "remarkable", marked, ("audio/ogg", b"previewed"))
    path = write(tmp_path / "a.arrow", rows)
    needle = {"slices": marked.astype(np.float16).tobytes(), "text": b"remarkable", "preview": b"previewed"}[what]
    bytes_ = bytearray(path.read_bytes())
    assert bytes_.count(needle) == 1
    bytes_[bytes_.index(needle) + 2] ^= 1
    path.write_bytes(bytes_)
    store = Store(path)
    store.verify(2)
    named = f"{path}: row 3, sample the-one: damaged"
    with pytest.raises(StoreError, match=named):
        store.preview(3) if what == "preview" else store.slices(3)
    with pytest.raises(StoreError, match=named):
        store.verify_all()
    # A second look does not let it pass.
    with pytest.raises(StoreError, match=named):
        store.verify(3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "a.arrow", some_rows())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StoreError, match="not a store of slices, or damaged") as caught:
        Store(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_store(tmp_path: Path) -> None:
    with pytest.raises(GlyphoneError, match="no such file"):
        Store(tmp_path / "none.arrow")
    with pytest.raises(GlyphoneError, match="directory"):
        Store(tmp_path)
    text = tmp_path / "text.arrow"
    text.write_text("this is no Arrow file at all")
    with pytest.raises(StoreError, match="not a store of slices"):
        Store(text)
    other = tmp_path / "other.arrow"
    table = pa.table({"a": [1, 2]})
    with pa.ipc.new_file(str(other), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(StoreError, match="an Arrow file, but not a store of slices"):
        Store(other)


def test_another_format_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.store, "FORMAT_VERSION", 99)
    path = write(tmp_path / "a.arrow", some_rows())
    monkeypatch.undo()
    with pytest.raises(StoreError, match="format version 99, this version reads 1; extract again"):
        Store(path)


def test_a_lost_batch_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A valid Arrow file, written by a program that dropped record batches."""
    monkeypatch.setattr(common.store, "BATCH_BYTES", 1)
    path = write(tmp_path / "a.arrow", some_rows())
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    batches = [reader.get_batch_with_custom_metadata(i) for i in range(reader.num_record_batches)]
    for name, kept in (("middle", batches[:2] + batches[3:]), ("end", batches[:-1])):
        with pa.ipc.new_file(str(tmp_path / name), reader.schema) as writer:
            for batch in kept:
                writer.write_batch(batch.batch, custom_metadata=batch.custom_metadata)
    with pytest.raises(StoreError, match="5 rows found, 6 were written"):
        Store(tmp_path / "middle")
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path / "end")
