"""Write new texts with the character model of a model folder, one a line.

Stage lm learns it where language.characters is set; stage tune puts it into the model folder. MODEL may be that folder
or its archive, or a folder of language models: data/<modality>/language. The same call gives the same texts.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from common.errors import GlyphoneError, run
from common.wording import out_of, plural


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    from common.archive import unpacked
    from common.decoding.places import LANGUAGE_FOLDER
    from common.language.character_folder import read_characters
    from common.language.generation import generate
    from common.output import put
    from common.text import normalise

    with unpacked(options.model) as folder:
        if not folder.is_dir():
            raise GlyphoneError(
                f"{options.model}: no such folder or archive; the first argument is one, e.g. models/audio"
            )
        inner = folder / LANGUAGE_FOLDER
        model, text_settings = read_characters(inner if inner.is_dir() else folder)
    prompt = normalise(options.prompt, text_settings)
    # A blank at its end says that a new word begins.
    prompt += " " if prompt and options.prompt[-1:].isspace() else ""
    num_cut = 0
    for text, ended in generate(
        model,
        options.count,
        temperature=options.temperature,
        seed=options.seed,
        prompt=prompt,
        max_characters=options.max_characters,
    ):
        put(f"{text}\n")
        num_cut += not ended
    if num_cut:
        print(
            f"{out_of(num_cut, options.count, 'text', 'were')} cut at {plural(options.max_characters, 'character')}",
            file=sys.stderr,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.generate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="model folder or its archive, e.g. models/audio")
    parser.add_argument(
        "--temperature", metavar="T", type=_temperature, default=1.0, help="0 takes the most probable (%(default)s)"
    )
    parser.add_argument("--seed", type=_whole(0), default=1, help="another one gives other texts (%(default)s)")
    parser.add_argument("--prompt", metavar="TEXT", default="", help="what each text begins with")
    parser.add_argument("--count", metavar="N", type=_whole(1), default=1, help="how many texts (%(default)s)")
    parser.add_argument(
        "--max-characters", metavar="N", type=_whole(1), default=200, help="of a text, prompt included (%(default)s)"
    )
    return parser


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of at least 0 is needed")
    return value


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least {least} is needed")
        return value

    return parse


if __name__ == "__main__":
    run(main)
