import pickle
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import common.store
from common.errors import SampleError
from common.store import Store, StoreError, StoreMetadata, StoreWriter

FEATURES = 3
SAME_FOLDER = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
Row = tuple[str, str, str, np.ndarray, tuple[str, bytes]]


def write(path: Path, rows: list[Row], **changes) -> Path:
    described = {
        "modality": "audio",
        "num_features": FEATURES,
        "step": 0.01,
        "unit": "s",
        "settings": {"mels": FEATURES, "name": "ß"},
        "samples_digest": "abc",
    }
    with StoreWriter(path, **(described | changes)) as writer:
        for row in rows:
            writer.add(*row)
    return path


def some_rows() -> list[Row]:
    random = np.random.default_rng(5)
    lengths = [4, 0, 7, 1, 30, 2]
    return [
        (f"s{number}", f"g{number % 2}", "hello wörld"[: 3 * number], slices, ("audio/ogg", bytes(number * 3)))
        for number, slices in enumerate(
            random.standard_normal((length, FEATURES)).astype(np.float32) for length in lengths
        )
    ]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in another Python, from the repository's folder."""
    folder = Path(__file__).parents[1]
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)


texts = st.text(st.characters(codec="utf-8"), max_size=12)
slices = st.integers(0, 6).flatmap(
    lambda length: arrays(
        np.float32, (length, FEATURES), elements=st.floats(-1e6, 1e6, width=32, allow_nan=False, allow_infinity=False)
    )
)
rows = st.lists(st.tuples(texts, texts, texts, slices, st.tuples(texts, st.binary(max_size=20))), max_size=8)


@SAME_FOLDER
@given(rows=rows, batch_bytes=st.integers(1, 200))
def test_what_is_written_is_read(tmp_path: Path, rows: list[Row], batch_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common.store, "BATCH_BYTES", batch_bytes)
        path = write(tmp_path / "a.arrow", rows)
        again = write(tmp_path / "b.arrow", rows)
    store = Store(path)
    assert len(store) == len(rows)
    assert store.ids == [row[0] for row in rows]
    assert store.groups == [row[1] for row in rows]
    assert store.texts == [row[2] for row in rows]
    assert store.lengths.dtype == np.int64
    assert store.lengths.tolist() == [len(row[3]) for row in rows]
    for i, row in enumerate(rows):
        assert store.slices(i).dtype == np.float16
        np.testing.assert_array_equal(store.slices(i), np.clip(row[3], -65504, 65504).astype(np.float16))
        assert store.preview(i) == row[4]
    store.verify_all()
    assert path.read_bytes() == again.read_bytes()


def test_metadata(tmp_path: Path) -> None:
    store = Store(write(tmp_path / "a.arrow", []))
    wanted = StoreMetadata(1, "audio", FEATURES, 0.01, "s", {"mels": FEATURES, "name": "ß"}, "abc")
    assert store.metadata == wanted
    assert len(store) == 0 and store.ids == []


def test_slices_are_views_into_the_memory_map(tmp_path: Path) -> None:
    store = Store(write(tmp_path / "a.arrow", some_rows()))
    first, second = store.slices(2), store.slices(2)
    assert np.shares_memory(first, second)
    assert not first.flags.owndata and not first.flags.writeable
    # A view outlives its store.
    wanted = first.tobytes()
    del store, second
    assert first.tobytes() == wanted


@pytest.mark.parametrize("number", [-1, 6])
def test_rows_that_are_not_there(tmp_path: Path, number: int) -> None:
    store = Store(write(tmp_path / "a.arrow", some_rows()))
    with pytest.raises(IndexError, match=f"row {number} of a store with 6 rows"):
        store.slices(number)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path: Path, value: float) -> None:
    """The sample is refused and the writer goes on with the next."""
    good = np.ones((2, FEATURES), np.float32)
    bad = good.copy()
    bad[1, 2] = value
    with StoreWriter(
        tmp_path / "a", modality="ocr", num_features=3, step=1, unit="px", settings={}, samples_digest=""
    ) as out:
        out.add("a", "g", "x", good)
        with pytest.raises(SampleError, match="NaN or infinity") as caught:
            out.add("b", "g", "x", bad)
        assert caught.value.code == "not_finite"
        out.add("c", "g", "x", good)
    store = Store(tmp_path / "a")
    store.verify_all()
    assert store.ids == ["a", "c"]


@pytest.mark.parametrize("shape", [(4,), (4, 2), (1, 4, 3)])
def test_slices_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(StoreError, match=r"sample x: slices must be \[T, 3\]"):
        write(tmp_path / "a.arrow", [("x", "", "", np.zeros(shape, np.float32), ("", b""))])


def test_batches_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many samples, the writer never holds more than a batch and a sample."""
    monkeypatch.setattr(common.store, "BATCH_BYTES", 1000)
    sample = np.ones((10, FEATURES), np.float32)  # 60 bytes as float16, 100 with its preview
    path = write(tmp_path / "a.arrow", [(f"s{i}", "g", "t", sample, ("x", bytes(40))) for i in range(95)])
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    sizes = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
    assert sizes == [10] * 9 + [5, 0]
    Store(path).verify_all()


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.arrow", some_rows())
    before = path.read_bytes()
    with pytest.raises(StoreError):
        write(path, [*some_rows(), ("x", "", "", np.zeros((1, FEATURES + 1)), ("", b""))])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.arrow"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """The limit on the size of files stands for the full disk; it ends as an OSError that has a number."""
    code = f"""
import resource, sys
import numpy as np
import common.store
from common.store import StoreWriter
common.store.BATCH_BYTES = 10_000
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    with StoreWriter({str(tmp_path / "a.arrow")!r}, modality="m", num_features=8, step=1, unit="s", settings={{}},
                     samples_digest="") as writer:
        for i in range(100):
            writer.add(str(i), "", "", np.ones((100, 8), np.float32))
except OSError as error:
    sys.exit(40 if error.errno else 41)
"""
    done = run(code)
    assert done.returncode == 40, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_no_file_under_the_name(tmp_path: Path) -> None:
    code = f"""
import os, signal
import numpy as np
from common.store import StoreWriter
with StoreWriter({str(tmp_path / "a.arrow")!r}, modality="m", num_features=8, step=1, unit="s", settings={{}},
                 samples_digest="") as writer:
    writer.add("x", "", "", np.ones((100, 8), np.float32))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(code)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "a.arrow").exists()


def test_the_checksum_is_computed_once_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(write(tmp_path / "a.arrow", some_rows()))
    calls: list[int] = []
    real = common.store.row_checksum

    def counted(row: int, *rest) -> int:
        calls.append(row)
        return real(row, *rest)

    monkeypatch.setattr(common.store, "row_checksum", counted)
    for i in (4, 0, 4, 4, 0):
        store.slices(i)
    assert calls == [4, 0]


def checksum_of_all(store: Store) -> int:
    return zlib.crc32(b"".join(store.slices(i).tobytes() for i in range(len(store))))


def test_other_processes_open_it_by_its_path(tmp_path: Path) -> None:
    store = Store(write(tmp_path / "a.arrow", some_rows()))
    pickled = pickle.dumps(store)
    assert len(pickled) < 300
    code = f"""
import pickle, sys, zlib
store = pickle.loads({pickled!r})
sys.stdout.write(str(zlib.crc32(b"".join(store.slices(i).tobytes() for i in range(len(store))))))
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == checksum_of_all(store)
