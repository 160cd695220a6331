"""Greatest difference from KenLM's log10 P of a word, on the same ARPA files: ours of orders 2 to 6, and a pruned one.

``python -m benchmarks.ngrams_vs_kenlm`` writes the small fixture of ``tests/golden/kenlm.json`` anew.
"""

import random
import sys
import tempfile
from pathlib import Path

from benchmarks.peers import ROOT, ask
from benchmarks.result import Result
from common.files import write_json, write_text
from common.language.arpa import read_arpa, write_arpa
from common.language.kneser_ney import train
from common.language.ngrams import Ngrams

# With parts that are no n-grams themselves, back-off weights of all kinds, and contexts that nothing continues.
PRUNED = """\\data\\
ngram 1=7
ngram 2=7
ngram 3=5
ngram 4=1

\\1-grams:
-1.7\t<unk>
-99\t<s>\t-0.31
-1.1\t</s>
-0.9\ta\t-0.42
-0.8\tb\t0.11
-1.2\tc
-0.7\td\t-0.05

\\2-grams:
-0.4\t<s> a\t-0.2
-0.5\ta b
-0.3\tb c\t-0.6
-0.6\tc </s>
-0.2\tb <unk>\t-0.15
-0.44\td a
-0.55\ta </s>

\\3-grams:
-0.25\t<s> a b\t-0.12
-0.35\tb c d\t-0.7
-0.15\ta b <unk>
-0.22\tb c </s>
-0.33\tb <unk> d

\\4-grams:
-0.05\t<s> a b c

\\end\\
"""
SEED, NUM_TEXTS, NUM_ASKED = 1, 3000, 300


def texts(seed: int, count: int) -> list[str]:
    """Sentences over forty words, each likely to follow its neighbours."""
    generator = random.Random(seed)
    made = []
    for _ in range(count):
        word = generator.randrange(40)
        words = []
        for _ in range(generator.randint(0, 9)):
            words.append(f"w{word}")
            word = (word + generator.choice([1, 1, 1, 2, 3, 5, 8, 13])) % 40
        made.append(" ".join(words))
    return made


def questions(words: list[str], seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices([*words, "unheard-of"], k=generator.randint(0, 8))) for _ in range(count)]


def difference(model: Ngrams, path: Path, sentences: list[str]) -> float:
    theirs = ask("kenlm_scores", {"arpa": str(path), "sentences": sentences})
    ours = [model.score(sentence.split()) for sentence in sentences]
    return max(abs(a - b) for mine, other in zip(ours, theirs, strict=True) for a, b in zip(mine, other, strict=True))


def run() -> Result:
    found = {}
    corpus = texts(SEED, NUM_TEXTS)
    asked = [*texts(SEED + 1, NUM_ASKED), *questions([f"w{i}" for i in range(40)], SEED, NUM_ASKED)]
    with tempfile.TemporaryDirectory() as folder:
        for order in range(2, 7):  # KenLM reads no 1-grams alone
            path = Path(folder) / f"{order}.arpa"
            write_arpa(path, train([text.split() for text in corpus], order)[0])
            found[f"order {order}"] = difference(read_arpa(path), path, asked)
            print(f"order {order}: {found[f'order {order}']:.2g}", file=sys.stderr)
        path = Path(folder) / "pruned.arpa"
        write_text(path, PRUNED)
        found["pruned"] = difference(read_arpa(path), path, questions(list("abcd"), SEED, NUM_ASKED))
    detail = {"by_model": found, "sentences": 2 * NUM_ASKED, "seed": SEED}
    return Result(max(found.values()), "log10 probability", False, detail)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pruned.arpa"
        write_text(path, PRUNED)
        sentences = ["", "a b c", "a b c d", "a b <unk> d", *questions(list("abcd"), SEED, 60)]
        scores = ask("kenlm_scores", {"arpa": str(path), "sentences": sentences})
    made = {"command": "python -m benchmarks.ngrams_vs_kenlm", "arpa": PRUNED, "sentences": sentences, "scores": scores}
    write_json(ROOT / "tests" / "golden" / "kenlm.json", made)


if __name__ == "__main__":
    main()
