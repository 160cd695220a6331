"""Language model stage: transcripts of the training split, and a text file if one is set → n-grams and a word list.

With ``language.unit: none`` it writes that, and nothing else.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from common.errors import GlyphoneError, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.lm", description=__doc__)
    parser.add_argument("modality", help="audio or ocr, a section of params.yaml")
    learn_language(parser.parse_args().modality)


def learn_language(name: str) -> None:
    """Read samples and settings of one modality; write ``data/<name>/language``."""
    from common.files import read_jsonl
    from common.language.folder import learn
    from common.text import normalise
    from pipelines import settings
    from pipelines.roots import find_file

    chosen = settings.read(name, "language", "text")
    samples = Path("data") / name / "samples.jsonl"
    texts: dict[str, list[str]] = {"train": [], "validation": []}
    if chosen.language.unit != "none":
        for row in read_jsonl(samples):
            if row["split"] in texts:  # test texts teach nothing
                texts[row["split"]].append(row["text"])

    def all_texts() -> Iterator[str]:
        yield from texts["train"]
        if chosen.language.text:
            path = find_file(chosen.language.text, f"{name}.language.text")
            for line in lines_of(path):
                yield normalise(line, chosen.text)

    description = learn(Path("data") / name / "language", chosen.language, all_texts(), texts["validation"])
    if description["unit"] != "none":
        found = description["validation"]
        print(
            f"{name}: {description['order']}-grams of {description['num_texts']} texts; validation: perplexity "
            f"{found['perplexity']} a {chosen.language.unit}, unknown {found['unknown_share']}",
            file=sys.stderr,
        )


def lines_of(path: Path) -> Iterator[str]:
    """Lines of a UTF-8 text, plain or gzip. Raises GlyphoneError naming file and line."""
    import gzip

    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    number = 0
    try:
        with gzip.open(path) if zipped else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise GlyphoneError(f"{path}, line {number}: not a UTF-8 text: {error}") from None


if __name__ == "__main__":
    run(main)
