"""ARPA files of n-grams of any order, plain or gzip: read with the line named where one is wrong, and written."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.files import atomic
from common.language.ngrams import UNKNOWN, LanguageError, Level, Ngrams
from common.language.trie import DuplicateError, build

_COUNT = re.compile(rb"ngram\s+(\d+)\s*=\s*(\d+)$")
_GZIP = b"\x1f\x8b"
MAX_LINE_BYTES = 1_000_000  # a file from a stranger fills no memory by a line without end
# log10 P of <s>, which nobody predicts.
NEVER = -99.0
# Of log10 P and back-off weights: they are kept in single precision, and summed.
LARGEST = 1e30


def read_arpa(path: str | Path) -> Ngrams:
    """Read an ARPA file; gzip is recognised by its first bytes.

    As in KenLM: ``<UNK>`` is ``<unk>``, a missing ``<unk>`` has log10 P = -100, positive log-probabilities are refused.
    Parts of n-grams that are not n-grams themselves are filled in.

    Raises:
        LanguageError: what is wrong, with file and line.
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        zipped = file.read(2) == _GZIP
        file.seek(0)
        # A missing end shows as EOFError, a broken one as OSError without an errno.
        try:
            return _Reader(gzip.open(file) if zipped else file, path).read()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise LanguageError(f"{path}: the gzip file is damaged: {error}") from None


class _Reader:
    """The lines of a file, with their numbers for messages."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, path: str | Path) -> None:
        self.path, self.number = path, 0
        self._lines = self._stripped(file)

    def _stripped(self, file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
        while line := file.readline(MAX_LINE_BYTES):
            self.number += 1
            if len(line) == MAX_LINE_BYTES:
                raise self._error(f"longer than the {MAX_LINE_BYTES} bytes allowed")
            if self.number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if content := line.strip(b" \t\r\n\x00"):
                yield content

    def _error(self, sentence: str, number: int | None = None) -> LanguageError:
        return LanguageError(f"{self.path}, line {number or self.number}: {sentence}")

    def _next(self, wanted: str) -> bytes:
        for line in self._lines:
            return line
        raise self._error(f"the file ends before {wanted}")

    def read(self) -> Ngrams:
        while self._next("\\data\\") != b"\\data\\":
            pass
        counts: list[int] = []
        while (line := self._next("\\1-grams:")).startswith(b"ngram"):
            match = _COUNT.match(line)
            if not match or int(match[1]) != len(counts) + 1:
                raise self._error(f"{_shown(line)}: `ngram {len(counts) + 1}=COUNT` is needed")
            counts.append(int(match[2]))
        if not counts:
            raise self._error(f"{_shown(line)}: `ngram 1=COUNT` is needed behind \\data\\")
        numbers: dict[bytes, int] = {}
        levels, places = [], []
        for order, count in enumerate(counts, 1):
            if line != f"\\{order}-grams:".encode():
                raise self._error(f"{_shown(line)}: \\{order}-grams: is needed here")
            level, lines, line = self._section(order, count, order == len(counts), numbers)
            levels.append(level)
            places.append(lines)
        if line != b"\\end\\":
            raise self._error(f"{_shown(line)}: \\end\\ is needed here")
        for _ in self._lines:  # to the file's end, where gzip compares its checksum
            pass
        try:
            return build([self._text(token) for token in numbers], levels)
        except DuplicateError as error:
            tokens = [*numbers]
            gram = b" ".join(tokens[number] for number in levels[error.order - 1].tokens[error.row])
            sentence = f"{_shown(gram)}: this {error.order}-gram stands twice"
            raise self._error(sentence, int(places[error.order - 1][error.row])) from None
        except LanguageError as error:
            raise LanguageError(f"{self.path}: {error}") from None

    def _section(
        self, order: int, count: int, highest: bool, numbers: dict[bytes, int]
    ) -> tuple[Level, np.ndarray, bytes]:
        """The n-grams of one order, their lines, and the line behind them; order 1 fills ``numbers``."""
        tokens: list[int] = []
        log_probs: list[float] = []
        backoffs: list[float] = []
        lines: list[int] = []
        for line in self._lines:
            if line[:1] == b"\\" and (line == b"\\end\\" or line.endswith(b"-grams:")):
                break
            fields = line.split()  # bytes: at ASCII blanks alone, so that others may be tokens
            if len(fields) not in (order + 1, order + 2):
                raise self._error(f"{_shown(line)}: log P, {order} tokens, and a back-off weight or none, are needed")
            try:
                log_prob = float(fields[0])
                backoff = float(fields[order + 1]) if len(fields) == order + 2 else 0.0
            except ValueError:
                raise self._error(f"{_shown(line)}: log P and the back-off weight must be numbers") from None
            if not -LARGEST <= log_prob <= 0:
                raise self._error(f"log P is {log_prob}; it must be a finite number from -{LARGEST:g} to 0")
            if not abs(backoff) <= LARGEST or (highest and backoff):
                allowed = "none is allowed at the highest order" if highest else f"allowed is up to {LARGEST:g}"
                raise self._error(f"the back-off weight is {backoff}; {allowed}")
            if order == 1:
                token = fields[1] if fields[1] != b"<UNK>" else UNKNOWN.encode()
                if token in numbers:
                    raise self._error(f"{_shown(token)}: this 1-gram stands twice")
                numbers[token] = len(numbers)
                tokens.append(len(tokens))
            else:
                for field in fields[1 : order + 1]:
                    number = numbers.get(field, -1)
                    if number < 0:
                        number = numbers.get(UNKNOWN.encode(), -1) if field == b"<UNK>" else -1
                    if number < 0:
                        raise self._error(f"{_shown(field)} is not among the 1-grams")
                    tokens.append(number)
            log_probs.append(log_prob)
            backoffs.append(backoff)
            lines.append(self.number)
        else:
            raise self._error(f"the file ends within the {order}-grams; \\end\\ is missing")
        if len(lines) != count:
            raise self._error(f"{len(lines)} {order}-grams stand before this line; \\data\\ says {count}")
        level = Level(
            np.array(tokens, np.int32).reshape(-1, order),
            np.array(log_probs, np.float32),
            np.array(backoffs, np.float32),
        )
        return level, np.array(lines, np.int64), line

    def _text(self, token: bytes) -> str:
        try:
            return token.decode("utf-8")
        except UnicodeDecodeError as error:
            raise LanguageError(f"{self.path}: {_shown(token)}: not UTF-8: {error}") from None


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 80 else text[:77] + "...")


def write_arpa(path: str | Path, model: Ngrams) -> None:
    """Write a model as ARPA; as gzip where the name ends in ``.gz``. The same model gives the same bytes."""
    with atomic(path) as file:
        if not str(path).endswith(".gz"):
            _write(file, model)
            return
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as zipped:
            _write(zipped, model)


def _write(file: BinaryIO | gzip.GzipFile, model: Ngrams) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="\n", write_through=False)  # type: ignore[arg-type]
    levels = model.levels()
    text.write("\\data\\\n")
    text.writelines(f"ngram {order}={len(level.log_probs)}\n" for order, level in enumerate(levels, 1))
    tokens = np.array(model.tokens, object)
    for order, level in enumerate(levels, 1):
        text.write(f"\n\\{order}-grams:\n")
        grams = map(" ".join, tokens[level.tokens])
        rows = zip(level.log_probs.tolist(), grams, level.backoffs.tolist(), strict=True)
        if order < len(levels):
            text.writelines(f"{log_prob:.7g}\t{gram}\t{backoff:.7g}\n" for log_prob, gram, backoff in rows)
        else:
            text.writelines(f"{log_prob:.7g}\t{gram}\n" for log_prob, gram, _ in rows)
    text.write("\n\\end\\\n")
    text.flush()
    text.detach()
