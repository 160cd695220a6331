"""Packed slices: one Arrow IPC file a split, however many samples, read through a memory map without copies.

The same input gives the same bytes. ``common.store_format`` says what is in the file.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from common.errors import GlyphoneError
from common.files import atomic
from common.store_format import (
    COLUMNS,
    FORMAT_VERSION,
    ROWS_KEY,
    StoreError,
    StoreMetadata,
    describe,
    halve,
    preview_checksum,
    read_metadata,
    read_num_rows,
    row_checksum,
)

__all__ = ["FORMAT_VERSION", "Store", "StoreError", "StoreMetadata", "StoreWriter", "halve"]

BATCH_BYTES = 32 * 2**20  # a record batch is written once its rows hold this much: the writer's memory stays flat


class StoreWriter:
    """Write a store row by row; it appears whole, under its final name, when the ``with`` block ends well.

    Args:
        path: of the store, e.g. ``data/audio/slices/train.arrow``.
        modality, num_features, step, unit, settings, samples_digest, licences: see ``StoreMetadata``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        modality: str,
        num_features: int,
        step: float,
        unit: str,
        settings: dict[str, Any],
        samples_digest: str,
        licences: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.metadata = StoreMetadata(
            FORMAT_VERSION,
            modality,
            int(num_features),
            float(step),
            unit,
            dict(settings),
            samples_digest,
            dict(licences or {}),
        )
        self.num_rows = 0
        self._rows: list[tuple[Any, ...]] = []
        self._num_bytes = 0

    def __enter__(self) -> Self:
        self._schema = COLUMNS.with_metadata(describe(self.metadata))
        self._open = ExitStack()
        file = self._open.enter_context(atomic(self.path))
        self._writer = pa.ipc.new_file(file, self._schema)
        # Inside of ``atomic``: an error while finishing, a full disk for instance, removes the temporary file.
        self._open.push(self._finish)
        return self

    def add(
        self,
        id: str,
        group: str,
        text: str,
        slices: np.ndarray,
        preview: tuple[str, bytes] = ("", b""),
        corpus: str = "",
    ) -> None:
        """Append a sample: slices float32 [T, F] (T = 0 is allowed: a test sample that could not be read).

        Raises:
            SampleError: a value of the slices is NaN or infinite; nothing was written, the next sample may follow.
            StoreError: the slices have another shape than the store.
        """
        num_features = self.metadata.num_features
        if slices.ndim != 2 or slices.shape[1] != num_features:
            raise StoreError(f"{self.path}: sample {id}: slices must be [T, {num_features}], not {list(slices.shape)}")
        halved = halve(slices)
        checksum = row_checksum(self.num_rows, (id, group, corpus, text), halved)
        self._rows.append((id, group, corpus, text, halved, checksum, *preview, preview_checksum(*preview)))
        self.num_rows += 1
        self._num_bytes += halved.nbytes + len(preview[1])
        if self._num_bytes >= BATCH_BYTES:
            self._write_batch()

    def _write_batch(self) -> None:
        if not self._rows:
            return
        ids, groups, corpora, texts, slices, checksums, types, previews, preview_checksums = zip(
            *self._rows, strict=True
        )
        ends = np.cumsum([each.size for each in slices], dtype=np.int64)
        values = pa.array(np.concatenate([each.reshape(-1) for each in slices]), pa.float16())
        columns = {
            "id": ids,
            "group": groups,
            "corpus": corpora,
            "text": texts,
            "slices": pa.LargeListArray.from_arrays(
                pa.array(np.concatenate([[0], ends]), pa.int64()), values, type=COLUMNS.field("slices").type
            ),
            "num_slices": [len(each) for each in slices],
            "checksum": checksums,
            "preview_type": types,
            "preview": previews,
            "preview_checksum": preview_checksums,
        }
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, COLUMNS.field(name).type)
            for name, column in columns.items()
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._rows, self._num_bytes = [], 0

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._write_batch()
            end = pa.record_batch([pa.array([], field.type) for field in COLUMNS], schema=self._schema)
            self._writer.write_batch(end, custom_metadata={ROWS_KEY: str(self.num_rows).encode()})
            self._writer.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, traceback)


class Store:
    """A store, memory mapped. Pickles as its path, so any process can open it again.

    Raises:
        GlyphoneError: there is no such file.
        StoreError: the file is truncated, damaged, no Arrow file, or of another format version.

    Attributes:
        metadata: what the slices mean.
        ids, groups, corpora, texts: str a row.
        lengths: int64 [N], number of slices T a row.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
            self.metadata = read_metadata(reader.schema, self.path)
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
            for batch in batches:
                batch.validate(full=True)
            num_rows = read_num_rows(reader)
        except FileNotFoundError:
            raise GlyphoneError(f"{path}: no such file; stage extract writes it") from None
        except (pa.ArrowException, OSError, ValueError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(f"{path}: not a store of slices, or damaged: {reason}; extract again") from None
        self._batches = [batch for batch in batches if batch.num_rows]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
        if self._starts[-1] != num_rows:
            raise StoreError(f"{path}: damaged: {self._starts[-1]} rows found, {num_rows} were written")
        self.ids: list[str] = self._column("id")
        self.groups: list[str] = self._column("group")
        self.corpora: list[str] = self._column("corpus")
        self.texts: list[str] = self._column("text")
        parts = [batch.column("num_slices").to_numpy() for batch in self._batches]
        self.lengths: np.ndarray = np.concatenate([np.zeros(0, np.int64), *parts])
        self._checksums = np.concatenate(
            [np.zeros(0, np.uint32), *(batch.column("checksum").to_numpy() for batch in self._batches)]
        )
        self._values = [batch.column("slices").values.to_numpy(zero_copy_only=True) for batch in self._batches]
        self._offsets = [batch.column("slices").offsets.to_numpy() for batch in self._batches]
        self._verified = np.zeros(num_rows, bool)

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        return type(self), (str(self.path),)

    def __len__(self) -> int:
        return len(self.ids)

    def _column(self, name: str) -> list[str]:
        return [value for batch in self._batches for value in batch.column(name).to_pylist()]

    def _place(self, i: int) -> tuple[int, int]:
        """Row i → (number of its batch, its row there)."""
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of a store with {len(self)} rows")
        batch = int(np.searchsorted(self._starts, i, side="right")) - 1
        return batch, i - int(self._starts[batch])

    def _view(self, i: int) -> np.ndarray:
        batch, row = self._place(i)
        start, end = self._offsets[batch][row : row + 2].tolist()
        if end - start != int(self.lengths[i]) * self.metadata.num_features:
            raise self._damaged(i)
        return self._values[batch][start:end].reshape(self.lengths[i], self.metadata.num_features)

    def _damaged(self, i: int) -> StoreError:
        return StoreError(f"{self.path}: row {i}, sample {self.ids[i]}: damaged (checksum differs); extract again")

    def slices(self, i: int) -> np.ndarray:
        """Slices of row i: float16 [T, F], a read-only view into the file; its checksum is verified the first time.

        Raises:
            StoreError: a byte of the row has changed since it was written.
        """
        view = self._view(i)
        if not self._verified[i]:
            strings = (self.ids[i], self.groups[i], self.corpora[i], self.texts[i])
            if row_checksum(i, strings, view) != self._checksums[i]:
                raise self._damaged(i)
            self._verified[i] = True
        return view

    def preview(self, i: int) -> tuple[str, bytes]:
        """(media type, bytes) of row i, ("", b"") where none was stored. Raises StoreError as ``slices`` does."""
        batch, row = self._place(i)
        columns = self._batches[batch]
        media_type: str = columns.column("preview_type")[row].as_py()
        data: bytes = columns.column("preview")[row].as_py()
        if preview_checksum(media_type, data) != columns.column("preview_checksum")[row].as_py():
            raise self._damaged(i)
        return media_type, data

    def verify(self, i: int) -> None:
        """Check row i against its checksums, whether or not that was done before. Raises StoreError."""
        self._verified[i] = False
        self.slices(i)
        self.preview(i)

    def verify_all(self) -> None:
        for i in range(len(self)):
            self.verify(i)
