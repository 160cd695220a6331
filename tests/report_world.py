"""A finished run in miniature: the files that stand in front of the report, made by the writers of the real ones."""

import csv
import io
import json
import math
import struct
import wave
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.calibration import describe, measure, no_observations
from common.edits import count_characters, count_words
from common.files import write_json, write_jsonl, write_text
from common.findings import finding, write_findings
from common.modality import generator
from common.samples import Rejection, write_rejections
from common.scoring import ScoredRow, score
from common.store import StoreWriter

HOSTILE = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
HEBREW = "שלום עולם"
HISTORY_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_wer", "validation_cer", "learning_rate")
WORDS = ("RUBOUT", "ENTER", "FOUR", "SEVEN", "YES", "HELP", "DOVER ROAD", "FIFTY", "OCTOBER", "NINETEEN", "GO", "ERASE")


def sound(seconds: float = 0.6, rate_hz: int = 8000) -> tuple[str, bytes]:
    """A WAV file with a tone."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        samples = (round(8000 * math.sin(each / 9)) for each in range(int(seconds * rate_hz)))
        sound.writeframes(struct.pack(f"<{int(seconds * rate_hz)}h", *samples))
    return "audio/wav", file.getvalue()


def picture(width: int = 180, height: int = 40) -> tuple[str, bytes]:
    """A grey PNG with stripes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + bytes(255 if x // 9 % 2 else 60 for x in range(width)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return "image/png", b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    )


def rows_of(num_samples: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows of ``hypotheses.jsonl``: phrases with some words lost, doubled or misspelt; the first are odd on purpose."""
    rows = [
        _row("hostile", f"a/{HOSTILE}", f"SAY {HOSTILE} NOW", f"SAY {HOSTILE.upper()} <B>NOW</B>", 1.5),
        _row("hebrew", "a/dana", HEBREW, "שלם עולים", 1.1),
        _row("unread", "b/mark", "ENTER SEVEN", "", 0.0),
        _row("marks", "b/mark", "cafe\u0301 nai\u0308ve <&>\"'", "cafe nai\u0308ve <&>", 2.0),
    ]
    for number in range(num_samples - len(rows)):
        random = generator(seed, "report world", str(number))
        reference = [WORDS[each] for each in random.integers(len(WORDS), size=random.integers(1, 7))]
        hypothesis = [_misspelt(word, random) for word in reference]
        rows.append(
            _row(
                f"test/{number:04d}-{'x' * (number % 5)}",
                f"{'ab'[number % 2]}/speaker {number % 9}",
                " ".join(reference),
                " ".join(filter(None, hypothesis)),
                0.4 * len(reference) + 0.1,
            )
        )
    return sorted(rows, key=lambda row: row["id"])


def _misspelt(word: str, random: np.random.Generator) -> str:
    chance = random.random()
    if chance < 0.04:
        return ""
    if chance < 0.1:
        place = int(random.integers(len(word)))
        return word[:place] + "AEIOU"[int(random.integers(5))] + word[place + 1 :]
    return f"{word} A" if chance < 0.12 else word


def _row(id: str, group: str, reference: str, hypothesis: str, length: float) -> dict[str, Any]:
    def counts(each: Any) -> dict[str, int]:
        return {key: getattr(each, key) for key in ("substitutions", "deletions", "insertions", "reference")}

    return {
        "id": id,
        "group": group,
        "reference": reference,
        "hypothesis": hypothesis,
        "seen_in_training": len(reference) < 8,
        "length": round(length, 6),
        "unit": "s",
        "confidence": round(0.2 + 0.7 * (sum(map(ord, id)) % 17) / 17, 4),
        "words": [],
        "word_counts": counts(count_words(reference, hypothesis)),
        "character_counts": counts(count_characters(reference, hypothesis)),
    }


def build(
    root: Path,
    modality: str,
    rows: list[dict[str, Any]],
    num_epochs: int = 12,
    preview: tuple[str, bytes] | None = None,
) -> None:
    """Write everything that the report of one modality reads below ``root`` but the settings.

    Args:
        preview: of every sample; a WAV file or a PNG made here where none is given.
    """
    data, results = root / "data" / modality, root / "results" / modality
    unit = {"audio": "s", "ocr": "px"}[modality]
    preview = preview or {"audio": sound, "ocr": picture}[modality]()
    write_jsonl(results / "hypotheses.jsonl", rows)
    write_json(results / "metrics.json", metrics_of(rows))
    write_json(
        results / "training.json", {"seconds": 194.2, "epochs": num_epochs, "device": "cpu", "precision": "float32"}
    )
    _write_csv(results / "history.csv", _history(num_epochs), HISTORY_COLUMNS)
    _write_csv(results / "lengths.csv", _lengths())
    _write_csv(results / "errors.csv", [{"confusion": "A → E", "kind": "substitution", "count": 1}])
    write_rejections(
        results / "training_rejected.jsonl", [Rejection("t1", "train", "too_few_slices", "12 < 14", "train")]
    )
    write_rejections(
        data / "rejected.jsonl",
        [Rejection(f"<i>{each}", "prepare", "empty_text", f"{HOSTILE} {each}", "") for each in range(30)],
    )
    write_rejections(
        data / "slices" / "rejected.jsonl", [Rejection("unread", "extract", "unreadable", "not a sound file", "test")]
    )
    write_findings(
        data / "findings.json",
        [
            finding(
                "seen_transcripts", "warning", f"2 test transcripts stand in training: {HOSTILE}", ["a", "b"], "Look."
            ),
            finding("group_in_two_splits", "error", "1 group stands in two splits", ["c"] * 3, "Split by group."),
            finding(
                "rare_characters", "note", "1 character occurs once: Q", [str(each) for each in range(60)], "Fine."
            ),
        ],
    )
    _write_store(data / "slices" / "test.arrow", modality, unit, rows, preview)
    write_json(root / "models" / modality / "bundle.json", _bundle(modality, unit, num_epochs))


def _write_store(path: Path, modality: str, unit: str, rows: list[dict[str, Any]], preview: tuple[str, bytes]) -> None:
    settings = {"kind": "logmel"}
    with StoreWriter(
        path, modality=modality, num_features=2, step=0.01, unit=unit, settings=settings, samples_digest="d"
    ) as writer:
        for row in rows:
            slices = np.zeros((3, 2), np.float32)
            writer.add(
                row["id"], row["group"], row["reference"], slices, ("", b"") if row["id"] == "unread" else preview
            )


def metrics_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    keys = ("id", "group", "reference", "hypothesis", "seen_in_training", "length")
    scored = [ScoredRow(**{key: row[key] for key in keys}) for row in rows]
    metrics = score(scored, num_samples=200)
    metrics["validation"] = score(scored[::2], num_samples=200)
    conditions = sorted({each.group.partition("/")[0] for each in scored})
    metrics["by_condition"] = {
        each: score([row for row in scored if row.group.startswith(f"{each}/")], num_samples=200) for each in conditions
    }
    metrics["calibration"] = _calibration()
    return metrics


def _calibration() -> dict[str, Any]:
    """Confidences that say too much, and what they are after calibration."""
    random = np.random.default_rng(4)
    before, after = no_observations(), no_observations()
    for kind, num in (("characters", 4000), ("words", 900)):
        true = random.beta(5, 1, num)
        rights = (random.random(num) < true).tolist()
        before[kind].add((true**0.5).tolist(), rights, "g")
        after[kind].add(true.tolist(), rights, "g")
    return {"test": measure(before, after), "validation": describe(before)}


def _history(num_epochs: int) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "train_loss": f"{3 * math.exp(-epoch / 3) + 0.02:.6g}",
            "validation_loss": "inf" if epoch == 1 else f"{3 * math.exp(-epoch / 3) + 0.1 + epoch / 100:.6g}",
            "validation_wer": f"{math.exp(-epoch / 5):.6g}",
            "validation_cer": f"{math.exp(-epoch / 4):.6g}",
            "learning_rate": "0.001",
        }
        for epoch in range(1, num_epochs + 1)
    ]


def _lengths() -> list[dict[str, Any]]:
    return [
        {"bin": start / 2, "count": round(share * 400 * math.exp(-(((start - 5) / 3) ** 2))), "split": split}
        for split, share in (("train", 1.0), ("validation", 0.1), ("test", 0.2))
        for start in range(14)
    ]


def _bundle(modality: str, unit: str, num_epochs: int) -> dict[str, Any]:
    return {
        "format_version": 1,
        "modality": modality,
        "alphabet": [" ", "<", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
        "slice_settings": {"kind": "logmel"},
        "text_settings": {"case": "upper", "replace": {}},
        "decoding": {"engine": "greedy"},
        "network": {"cell": "lstm", "num_layers": 2, "num_hidden": 192},
        "num_features": 80,
        "step": 0.01,
        "unit": unit,
        "weights_sha256": "0" * 64,
        "summary": {
            "corpora": {"synthetic": {"samples": 1990, "licence": "Apache-2.0"}, "an4": {"samples": 9, "licence": ""}},
            "training_samples": 1999,
            "training_units": 7261.5,
            "validation_samples": 150,
            "num_parameters": 1_234_567,
            "epochs": num_epochs,
            "best_epoch": num_epochs - 2,
            "seed": 1,
            "precision": "float32",
        },
    }


def _write_csv(path: Path, rows: list[dict[str, Any]], columns: Sequence[str] = ()) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def with_settings(root: Path, repository: Path) -> None:
    """Give ``root`` the settings of the default recipe, as YAML (of which JSON is a part)."""
    from pipelines.settings import load

    write_text(root / "params.yaml", json.dumps({**load(repository / "recipes" / "default.yaml"), "recipe": "default"}))


def improved(rows: list[dict[str, Any]], share: float, seed: int = 0) -> list[dict[str, Any]]:
    """Rows in which a share of the samples is put right."""
    return [
        {**row, "hypothesis": row["reference"]} if generator(seed, "improved", row["id"]).random() < share else row
        for row in rows
    ]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    write_jsonl(folder / "hypotheses.jsonl", rows)
    return folder
