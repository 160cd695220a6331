"""Language model stage: transcripts of the training split, and a text file if one is set -> n-grams and a word list.

With ``language.unit: none`` it writes that, and nothing else. With ``language.characters`` it learns a recurrent model
of characters from the same texts too.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import GlyphoneError, run

MAX_SHOWN = 10  # characters in a message
TEXT_FILES = "allowed: a text a line in UTF-8, or in UTF-16 with a BOM, plain or gzip"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.lm", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    learn_language(parser.parse_args().modality)


def learn_language(name: str) -> None:
    """Read samples and settings of one modality; write ``data/<name>/language``."""
    from common.bidi import as_shown
    from common.language.folder import CHARACTER_FILES, learn
    from common.language.kneser_ney import TokenError
    from common.language.text import tokens_of
    from common.samples import Sample, read_samples
    from common.text import normalise
    from pipelines import settings
    from pipelines.roots import find_file

    chosen = settings.read(name, "seed", "language", "text")
    language = chosen.language
    samples, folder = Path("data") / name / "samples.jsonl", Path("data") / name / "language"
    read: dict[str, list[Sample]] = {"train": [], "validation": []}
    if language.unit != "none" or language.characters:
        for sample in read_samples(samples):
            if sample.split in read:  # test texts teach nothing
                read[sample.split].append(sample)

    text_file = find_file(language.text, f"{name}.language.text") if language.text else None
    if text_file and not any(normalise(line, chosen.text) for line in lines_of(text_file)):
        raise GlyphoneError(f"{name}.language.text: {text_file}: no text in it; name another file, or none")
    known = set().union(*(sample.text for sample in read["train"]))
    held_out = [sample.text for sample in read["validation"]]
    unknown: Counter[str] = Counter()  # of the text file, by the lines that hold them

    def placed_texts() -> Iterator[tuple[str, str]]:
        """All that is learned, and where it stands."""
        yield from ((f"{samples}: sample {sample.id!r}", sample.text) for sample in read["train"])
        if text_file:
            unknown.clear()  # a second walk is for the character model
            for number, line in enumerate(lines_of(text_file), 1):
                text = normalise(line, chosen.text)
                unknown.update(set(text) - known)
                yield f"{text_file}, line {number}", text

    def all_texts() -> Iterator[str]:
        return (text for _, text in placed_texts())

    for file in CHARACTER_FILES:  # as ``learn`` does with its own files: nothing of earlier settings stays
        (folder / file).unlink(missing_ok=True)
    # The search goes from the left of a line to its right, whichever way that is read.
    arranged = as_shown if chosen.text.direction == "rtl" else str
    try:
        description = learn(folder, language, map(arranged, all_texts()), [*map(arranged, held_out)])
    except TokenError as error:
        holds = (place for place, text in placed_texts() if error.token in tokens_of(arranged(text), language.unit))
        raise GlyphoneError(f"{next(holds)}: {error}; leave it out") from None
    if description["unit"] != "none":
        found = description["validation"]
        print(
            f"{name}: {description['order']}-grams of {description['num_texts']} texts; validation: perplexity "
            f"{found['perplexity']} a {language.unit}, unknown {found['unknown_share']}",
            file=sys.stderr,
        )
    if language.characters:
        from pipelines.lm_characters import write_character_model

        write_character_model(name, folder, [*all_texts()], held_out, language, chosen.text, chosen.seed)
    if unknown:
        print(f"{name}.language.text: {_sentence(unknown)}", file=sys.stderr)


def _sentence(unknown: Counter[str]) -> str:
    """Other quotation marks, or another script, make of a text file words that no transcript can ever have."""
    most = sorted(unknown, key=lambda each: (-unknown[each], each))
    shown = ", ".join(f"{each!r} in {unknown[each]}" for each in most[:MAX_SHOWN])
    more = f" and {len(most) - MAX_SHOWN} more" if len(most) > MAX_SHOWN else ""
    return (
        f"no training transcript has these characters, so no word with them is ever read: {shown}{more} of its lines; "
        "map them with text.replace, or leave such lines out"
    )


def lines_of(path: Path) -> Iterator[str]:
    """Lines of a text in UTF-8, or UTF-16 where a BOM says so, plain or gzip, with any line ends.

    Raises:
        GlyphoneError: it is not such a text; names file and line.
    """
    import gzip
    import io
    import zlib

    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    number, encoding = 0, "UTF-8"
    try:
        with gzip.open(path) if zipped else open(path, "rb") as file:
            lines: Iterable[bytes | str] = file
            if file.peek(2).startswith((b"\xff\xfe", b"\xfe\xff")):
                encoding, lines = "UTF-16", io.TextIOWrapper(file, "utf-16", newline="\n")
            for number, line in enumerate(lines, 1):
                if isinstance(line, bytes):
                    line = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if "\0" in line:  # UTF-16 and archives may be UTF-8 by the letter
                    raise GlyphoneError(f"{path}, line {number}: a NUL: not a {encoding} text; {TEXT_FILES}")
                # Some files end lines by CR alone, or all of them would be one text.
                yield from line.rstrip("\r\n").split("\r")
    except (UnicodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        where = f"{path}, line {max(1, number)}"
        raise GlyphoneError(f"{where}: not a {encoding} text: {error}; {TEXT_FILES}") from None


if __name__ == "__main__":
    run(main)
