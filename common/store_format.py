"""What a file of packed slices looks like: its columns, its metadata, its checksums.

A row is a sample: id, group, corpus, text, slices (float16 [T, F], flattened), num_slices (T), checksum, preview_type,
preview, preview_checksum. The schema's metadata hold what the slices mean; the last record batch is empty and its
metadata hold the number of rows, so a file that lost rows is noticed.
"""

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from common.errors import GlyphoneError, SampleError
from common.files import to_json

FORMAT_VERSION = 1
FLOAT16_MAX = 65504.0

_METADATA_KEY = b"glyphone"
_CHECKSUM_KEY = b"glyphone.crc32"
ROWS_KEY = b"num_rows"
COLUMNS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("slices", pa.large_list(pa.field("item", pa.float16(), nullable=False)), nullable=False),
        pa.field("num_slices", pa.int64(), nullable=False),
        pa.field("checksum", pa.uint32(), nullable=False),
        pa.field("preview_type", pa.string(), nullable=False),
        pa.field("preview", pa.large_binary(), nullable=False),
        pa.field("preview_checksum", pa.uint32(), nullable=False),
    ]
)


class StoreError(GlyphoneError):
    """A file of packed slices is damaged, of another format, or does not fit what is written to it."""


@dataclass(frozen=True)
class StoreMetadata:
    """What the slices of a store mean.

    Attributes:
        format_version: of the file's layout.
        modality: name, e.g. ``audio``.
        num_features: F.
        step: units (``unit``: s or px) from one slice to the next.
        settings: of the front end that made the slices.
        samples_digest: digest of the samples file that the slices were made from.
        licences: corpus → licence of its samples.
    """

    format_version: int
    modality: str
    num_features: int
    step: float
    unit: str
    settings: dict[str, Any]
    samples_digest: str
    licences: dict[str, str] = field(default_factory=dict)


def halve(slices: np.ndarray) -> np.ndarray:
    """Float16 of the same shape; what float16 cannot hold is clipped to ±65504.

    Raises:
        SampleError: a value is NaN or infinite.
    """
    if not np.isfinite(slices).all():
        raise SampleError("not_finite", "slices hold NaN or infinity")
    return np.clip(slices, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)


def row_checksum(row: int, strings: tuple[str, ...], slices: np.ndarray) -> int:
    """CRC-32 of a row: its number, its strings, its shape and the bytes of its slices [T, F]."""
    head = "\0".join((str(row), *strings, str(slices.shape)))
    return zlib.crc32(np.ascontiguousarray(slices).data, zlib.crc32(head.encode()))


def preview_checksum(media_type: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(media_type.encode()))


def describe(metadata: StoreMetadata) -> dict[bytes, bytes]:
    """Metadata of the file's schema."""
    described = to_json(asdict(metadata)).encode()
    return {_METADATA_KEY: described, _CHECKSUM_KEY: str(zlib.crc32(described)).encode()}


def read_metadata(schema: pa.Schema, path: Path) -> StoreMetadata:
    """Metadata from the file's schema. Raises StoreError: damaged, no store, or of another format version."""
    metadata = schema.metadata or {}
    described = metadata.get(_METADATA_KEY)
    if described is None:
        raise StoreError(f"{path}: an Arrow file, but not a store of slices")
    if metadata.get(_CHECKSUM_KEY) != str(zlib.crc32(described)).encode():
        raise StoreError(f"{path}: damaged: the checksum of its metadata differs; extract again")
    fields = json.loads(described)
    if fields["format_version"] != FORMAT_VERSION:
        raise StoreError(
            f"{path}: format version {fields['format_version']}, this version reads {FORMAT_VERSION}; extract again"
        )
    if not schema.equals(COLUMNS):
        raise StoreError(f"{path}: damaged: its columns are not those of a store")
    return StoreMetadata(**fields)


def read_num_rows(reader: pa.RecordBatchFileReader) -> int:
    """The number of rows that the writer counted, from the empty record batch at the end."""
    if not reader.num_record_batches:
        raise ValueError("it has no end mark")
    last = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
    return int((last.custom_metadata or {}).get(ROWS_KEY, b"missing end mark"))
