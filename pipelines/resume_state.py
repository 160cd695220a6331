"""Folders of resume states: of each training one that exactly this one goes on from, outside of what DVC deletes."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.errors import GlyphoneError
from common.files import read_json, write_json
from common.training.checkpoint import FILE_NAME, fingerprint
from common.training.processes import is_first

STATE = Path(".state")
# Of a state: what it hangs on; gone when what its training gives is written.
UNFINISHED = "unfinished.json"
# What a state hangs on by a digest alone, in a sentence on another one; and how many differences that names.
DIGESTS = {
    "code": "the code of training is another",
    "data": "the samples are others",
    "stream": "texts or fonts of the made samples are others",
    "texts": "the texts are others",
    "warm_start": "the model that it starts from is another",
}
MAX_NAMED = 5


def resume_folder(parent: Path, name: str, parts: dict[str, Any], kept: int) -> Path:
    """The folder of a training of modality ``name``, made where there is none yet; all that decides it is in its name.

    Where it begins anew beside an interrupted one, a line on standard error says why.

    Args:
        parent: of all states of such trainings, of which the ``kept`` newest stay.
        parts: all that decides the result, settings by section in ``settings``, files by digest.
    """
    folder = parent / fingerprint(parts)
    folder.mkdir(parents=True, exist_ok=True)
    # Another process may remove the same ones meanwhile.
    others = {}
    for each in parent.iterdir():
        with suppress(FileNotFoundError):
            others[each] = each.stat().st_mtime
    del others[folder]
    newest_first = sorted(others, key=others.__getitem__, reverse=True)
    for old in newest_first[kept - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    if is_first():
        if newest_first and not (folder / FILE_NAME).exists():
            _say_not_gone_on_with(newest_first[0], parts, name)
        write_json(folder / UNFINISHED, parts)
    return folder


def finish(state: Path) -> None:
    """The training of a resume folder is at its end, and what it gives is written."""
    (state / UNFINISHED).unlink(missing_ok=True)


def _say_not_gone_on_with(other: Path, parts: dict[str, Any], name: str) -> None:
    """Of an interrupted training whose work would else seem lost: which it is, and why this one begins anew."""
    if not (other / FILE_NAME).exists():
        return
    with suppress(GlyphoneError):  # it was finished
        reasons = list(_differences(read_json(other / UNFINISHED), parts, name))
        more = f" and {len(reasons) - MAX_NAMED} more" if len(reasons) > MAX_NAMED else ""
        told = "; ".join(reasons[:MAX_NAMED]) + more
        print(f"begins anew, not where {other} was interrupted: {told}", file=sys.stderr, flush=True)


def _differences(was: Any, now: Any, name: str, key: str = "") -> Iterator[str]:
    """What two states of modality ``name`` hang on and is not the same, a sentence each."""
    if isinstance(was, dict) and isinstance(now, dict):
        for each in sorted({*was, *now}):
            yield from _differences(was.get(each), now.get(each), name, f"{key}.{each}" if key else each)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, pair in enumerate(zip(was, now, strict=True)):
            yield from _differences(*pair, name, f"{key}.{number}")
    elif was != now:
        setting = key.replace("settings.", f"{name}.", 1) if key.startswith("settings.") else key
        yield DIGESTS.get(key, f"{setting} was {was!r}, is {now!r}")
