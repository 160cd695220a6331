"""n-grams: what KenLM says, what the definition of Kneser-Ney says, sums to one, files there and back, bad files."""

import gzip
import itertools
import json
import math
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.language.arpa import MAX_LINE_BYTES, read_arpa, write_arpa
from common.language.kneser_ney import FALLBACK, MAX_ORDER, MAX_TOKEN_BYTES, train
from common.language.ngrams import ROOT, LanguageError, step

GOLDEN = json.loads((Path(__file__).parent / "golden" / "kenlm.json").read_text(encoding="utf-8"))

ARPA = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.5\t</s>
-0.4\tä\t-0.2

\\2-grams:
-0.3\t<s> ä
-0.2\tä </s>

\\end\\
"""

sentences = st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=12)


def written(path, text, packed=False):
    data = text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def test_scores_are_kenlms(tmp_path):
    """Golden scores of KenLM itself, on a pruned model; `python -m benchmarks ngrams_vs_kenlm` asks it anew."""
    model = read_arpa(written(tmp_path / "model.arpa", GOLDEN["arpa"]))
    for sentence, scores in zip(GOLDEN["sentences"], GOLDEN["scores"], strict=True):
        assert model.score(sentence.split()) == pytest.approx(scores, abs=1e-4)


@settings(max_examples=60)
@given(sentences, st.integers(1, 5))
def test_every_context_sums_to_one(texts, order):
    model, _ = train(texts, order)
    predicted = [number for number, token in enumerate(model.tokens) if token != "<s>"]
    for state in range(len(model.table.backoff)):
        assert math.fsum(10 ** step(model.table, state, number)[0] for number in predicted) == pytest.approx(
            1, abs=1e-5
        )


def kneser_ney(texts, order):
    """P(token | history) by the definition, from dictionaries of counts."""
    padded = [["<s>", *text, "</s>"] for text in texts]
    vocabulary = {token for text in padded for token in text} - {"<s>"} | {"<unk>"}
    raw = [Counter() for _ in range(order + 1)]
    for n in range(1, order + 1):
        for text in padded:
            raw[n].update(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
    del raw[1][("<s>",)]
    counts = [Counter() for _ in range(order + 1)]
    counts[order] = raw[order]
    for n in range(1, order):
        before = defaultdict(set)
        for gram in raw[n + 1]:
            before[gram[1:]].add(gram[0])
        for gram in raw[n]:
            counts[n][gram] = raw[n][gram] if gram[0] == "<s>" else len(before[gram])

    def discounts(n):
        num = [sum(count == k for count in counts[n].values()) for k in range(5)]
        if 0 in num[1:4]:
            return FALLBACK
        y = num[1] / (num[1] + 2 * num[2])
        found = tuple(k - (k + 1) * y * num[k + 1] / num[k] for k in (1, 2, 3))
        return found if all(0 < amount <= k for k, amount in enumerate(found, 1)) else FALLBACK

    amounts = [None, *map(discounts, range(1, order + 1))]

    def probability(token, history):
        n = len(history) + 1
        shorter = probability(token, history[1:]) if history else 1 / len(vocabulary)
        followers = {gram: count for gram, count in counts[n].items() if gram[:-1] == history}
        if not followers:
            return shorter
        total = sum(followers.values())
        count = counts[n][(*history, token)]
        withheld = sum(amounts[n][min(each, 3) - 1] for each in followers.values())
        taken = amounts[n][min(count, 3) - 1] if count else 0
        return (count - taken) / total + withheld / total * shorter

    return probability, vocabulary


@settings(max_examples=40)
@given(sentences, st.integers(1, 4))
# Its bigrams have a discount of exactly 0 by the formula.
@example([[]] * 4 + [*map(list, ("a", "aa", "abac", "abbba", "aaaaba", "aacabb", "abcabb"))], 2)
def test_training_is_modified_kneser_ney(texts, order):
    model, _ = train(texts, order)
    probability, vocabulary = kneser_ney(texts, order)
    assert set(model.tokens) == vocabulary | {"<s>"}
    for history in itertools.chain(
        ((),), itertools.product("ab", repeat=1), itertools.product("abc", repeat=order - 1)
    ):
        for token in vocabulary:
            # In the middle of a sentence, and at its begin.
            ours = model.score([*history, token], begin=False, end=False)[-1]
            assert 10**ours == pytest.approx(
                probability(token, tuple(history[-(order - 1) :] if order > 1 else ())), rel=1e-4
            )
            ours = model.score([*history, token], end=False)[-1]
            shown = ("<s>", *history)[-(order - 1) :] if order > 1 else ()
            assert 10**ours == pytest.approx(probability(token, shown), rel=1e-4)


def test_discounts_of_a_larger_text_are_not_the_fallback():
    generator = np.random.default_rng(0)
    texts = [[f"w{int(number)}" for number in generator.zipf(1.5, 8) if number < 3000] for _ in range(600)]
    _, discounts = train(texts, 3)
    assert [discount.fallback for discount in discounts] == [False, False, False]
    assert all(0 < each.amounts[0] < each.amounts[1] < each.amounts[2] < 3 for each in discounts[1:])
    _, small = train([["a"]], 2)
    assert [(each.amounts, each.fallback) for each in small] == [(FALLBACK, True)] * 2


@settings(max_examples=20)
@given(texts=sentences, order=st.integers(1, 4), ending=st.sampled_from(["arpa", "arpa.gz"]))
def test_there_and_back(tmp_path_factory, texts, order, ending):
    folder = tmp_path_factory.mktemp("arpa")
    model, _ = train(texts, order)
    write_arpa(folder / f"a.{ending}", model)
    again = read_arpa(folder / f"a.{ending}")
    assert again.tokens == model.tokens
    for text in [*texts, list("abcabc"), ["?", "a"]]:
        assert again.score(text) == pytest.approx(model.score(text), abs=1e-5)
    write_arpa(folder / f"b.{ending}", again)
    assert (folder / f"b.{ending}").read_bytes() == (folder / f"a.{ending}").read_bytes()


@pytest.mark.parametrize("packed", [False, True])
def test_a_small_file_by_hand(tmp_path, packed):
    model = read_arpa(written(tmp_path / "model", "written by hand\n\n" + ARPA.replace("\n", "\r\n"), packed))
    assert model.score(["ä"]) == pytest.approx([-0.3, -0.2])
    assert model.score(["ä", "ä", "x"]) == pytest.approx([-0.3, -0.2 - 0.4, -0.2 - 1.0, -0.5])
    assert model.score([], begin=False) == pytest.approx([-0.5])
    assert step(model.table, ROOT, model.number("x"))[0] == pytest.approx(-1.0)


def test_without_unk_it_is_kenlms_constant(tmp_path):
    text = ARPA.replace("-1.0\t<unk>\n", "").replace("ngram 1=4", "ngram 1=3")
    assert read_arpa(written(tmp_path / "model", text)).score(["x"], end=False) == [-100.5]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", r"line 15: the file ends before \\data\\"),
        ("ngram 1=4", "ngram 2=4", r"line 2: 'ngram 2=4': `ngram 1=COUNT` is needed"),
        ("ngram 1=4", "ngram 1=5", r"line 11: 4 1-grams stand before this line; \\data\\ says 5"),
        ("\\2-grams:", "\\3-grams:", r"line 11: .*3-grams:': \\2-grams: is needed here"),
        ("-0.5\t</s>", "-0.5", r"line 8: '-0.5': log P, 1 tokens"),
        ("-0.5\t</s>", "x\t</s>", r"line 8: 'x.t</s>': log P and the back-off weight must be numbers"),
        ("-0.5\t</s>", "0.5\t</s>", r"line 8: log P is 0.5; it must be a finite number from -1e\+30 to 0"),
        ("-0.5\t</s>", "-1e39\t</s>", r"line 8: log P is -1e\+39; it must be a finite number from -1e\+30 to 0"),
        ("ä\t-0.2", "ä\t-1e39", r"line 9: the back-off weight is -1e\+39; allowed is up to 1e\+30"),
        ("-0.5\t</s>", "nan\t</s>", r"line 8: log P is nan"),
        ("ä\t-0.2", "ä\tinf", r"line 9: the back-off weight is inf"),
        ("<s> ä", "<s> ä\t-0.1", r"line 12: the back-off weight is -0.1; none is allowed at the highest order"),
        ("<s> ä", "<s> ö", r"line 12: 'ö' is not among the 1-grams"),
        ("ä </s>", "<s> ä", r"line 13: '<s> ä': this 2-gram stands twice"),
        ("-0.5\t</s>", "-0.5\t<s>", r"line 8: '<s>': this 1-gram stands twice"),
        ("\n\\end\\\n", "", r"line 13: the file ends within the 2-grams; \\end\\ is missing"),
        ("</s>", "end", r"the model has no </s> among its 1-grams"),
    ],
)
def test_bad_files_are_named_by_line(tmp_path, old, new, message):
    path = written(tmp_path / "bad.arpa", ARPA.replace(old, new))
    with pytest.raises(LanguageError, match=message) as caught:
        read_arpa(path)
    assert str(path) in str(caught.value)


def test_damaged_gzip_is_told(tmp_path):
    path = tmp_path / "bad.arpa.gz"
    path.write_bytes(gzip.compress(ARPA.encode())[:-20])
    with pytest.raises(LanguageError, match="the gzip file is damaged"):
        read_arpa(path)


def test_text_that_is_no_utf_8_is_told(tmp_path):
    path = tmp_path / "bad.arpa"
    path.write_bytes(ARPA.encode("latin-1"))
    with pytest.raises(LanguageError, match="not UTF-8"):
        read_arpa(path)


@pytest.mark.parametrize("token", ["<s>", "<unk>", "", "a b", "a\n"])
def test_tokens_that_no_file_can_hold_are_refused(token):
    with pytest.raises(LanguageError, match=r"the token .* cannot be learned"):
        train([["a"], ["a", token]], 2)


def test_no_text_and_bad_orders_are_refused():
    with pytest.raises(LanguageError, match="no text"):
        train([], 2)
    with pytest.raises(LanguageError, match="order 0: 1 to 20"):
        train([["a"]], 0)


def test_a_gzip_file_with_another_checksum_is_told(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(ARPA.encode()))
    data[-8] ^= 1
    (tmp_path / "a.arpa.gz").write_bytes(data)
    with pytest.raises(LanguageError, match="the gzip file is damaged"):
        read_arpa(tmp_path / "a.arpa.gz")


@pytest.mark.parametrize("token", ["<UNK>", "a\0", "ä" * 30_000])
def test_no_token_is_learned_that_the_file_does_not_give_back(token: str) -> None:
    with pytest.raises(LanguageError, match="cannot be learned") as caught:
        train([["a", token]], 2)
    assert len(str(caught.value)) < 200


def test_the_longest_tokens_are_read_back_at_the_greatest_order() -> None:
    numbers = 100  # bytes of log P and the back-off weight, at most
    assert MAX_ORDER * (MAX_TOKEN_BYTES + 1) + numbers < MAX_LINE_BYTES


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.arpa").write_bytes(b"\xef\xbb\xbf" + ARPA.encode())
    (tmp_path / "b.arpa").write_bytes(ARPA.encode())
    assert read_arpa(tmp_path / "a.arpa").tokens == read_arpa(tmp_path / "b.arpa").tokens


def test_a_line_without_end_fills_no_memory(tmp_path: Path) -> None:
    """A thousandth of it as a gzip file."""
    with gzip.open(tmp_path / "a.arpa.gz", "wb") as file:
        file.write(b"\\data\\\n" + b"ngram 1=1 " * 2_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(LanguageError, match=r"a\.arpa\.gz, line 2: longer than the 1000000 bytes allowed"):
            read_arpa(tmp_path / "a.arpa.gz")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


TOKENS = ["<s>", "</s>", "<unk>", "a", "b"]


@settings(max_examples=60)
@given(
    levels=st.integers(1, 4).flatmap(
        lambda order: st.tuples(
            *(
                st.dictionaries(
                    st.tuples(*[st.sampled_from(TOKENS)] * n), st.tuples(st.floats(-3, 0), st.floats(-2, 1))
                )
                for n in range(2, order + 1)
            )
        )
    ),
    has_unknown=st.booleans(),
    text=st.lists(st.sampled_from("abx"), max_size=6),
)
def test_any_file_is_scored_by_the_definition(tmp_path_factory, levels, has_unknown, text):
    """Files of other tools: contexts and suffixes may be missing, back-off weights too, or be positive."""
    tokens = [token for token in TOKENS if has_unknown or token != "<unk>"]
    table = {(token,): (-0.25 * place, 0.5 - place) for place, token in enumerate(tokens, 1)}
    grams = [dict(table), *({gram: value for gram, value in each.items() if {*gram} <= {*tokens}} for each in levels)]
    lines = ["\\data\\", *(f"ngram {order}={len(each)}" for order, each in enumerate(grams, 1))]
    for order, each in enumerate(grams, 1):
        table |= {gram: (log_prob, backoff * (order < len(grams))) for gram, (log_prob, backoff) in each.items()}
        lines.append(f"\\{order}-grams:")
        lines += [f"{table[gram][0]}\t{' '.join(gram)}" + f"\t{table[gram][1]}" * bool(table[gram][1]) for gram in each]
    path = written(tmp_path_factory.mktemp("arpa") / "a.arpa", "\n".join([*lines, "\\end\\", ""]))

    def by_definition(history, token):
        if not history or (*history, token) in table:
            return table.get((*history, token), (-100.0, 0))[0]
        return table.get(tuple(history), (0, 0.0))[1] + by_definition(history[1:], token)

    known = ["<s>", *(token if token in tokens else "<unk>" for token in text), "</s>"]
    expected = [by_definition(known[max(0, i + 1 - len(grams)) : i], known[i]) for i in range(1, len(known))]
    assert read_arpa(path).score(text) == pytest.approx(expected, abs=1e-4)
