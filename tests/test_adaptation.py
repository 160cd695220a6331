"""Self-training: what is learnt of what, and that it helps a model that half understands."""

import copy
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.adaptation import self_training
from common.adaptation.hearing import Heard, collapsed, hear
from common.adaptation.prior_matching import matched, text_likelihoods
from common.adaptation.self_training import self_train, surest
from common.adaptation.settings import AdaptationSettings
from common.alphabet import Alphabet
from common.decoding import DecodingSettings, Hypothesis
from common.decoding.decoder import Decoder
from common.emissions import emissions
from common.errors import GlyphoneError
from common.network import Network
from common.training.settings import TrainingSettings
from tests.test_training import FAST, SMALL, noisy, run

# What is learnt

TEXTS = st.lists(st.tuples(st.sampled_from(["", "a", "b", "ab", "c", "d"]), st.integers(0, 4)), max_size=30)


@given(TEXTS, st.decimals("0.01", 1, places=2).map(float))
def test_the_surest_share_of_each_text(pairs: list[tuple[str, int]], share: float) -> None:
    texts, confidences = [text for text, _ in pairs], [sure / 4 for _, sure in pairs]
    rows = surest(texts, confidences, share)
    assert rows == sorted(set(rows)) and all(texts[row] for row in rows)
    counts = Counter(texts)
    lots = defaultdict(list)
    for row, text in enumerate(texts):
        if text:
            lots[text if counts[text] > 1 else None].append(row)
    for lot in lots.values():
        kept = [row for row in lot if row in rows]
        assert len(kept) == math.ceil(Fraction(str(share)) * len(lot))
        left = [confidences[row] for row in lot if row not in rows]
        assert min(confidences[row] for row in kept) >= max(left, default=0)


# Whom it helps

WORDS = ("aab", "abca", "bacb", "bb", "cab", "cca")


class WordDecoder:
    """One of the words, by the likelihood of each: a closed word list without any of our searches."""

    def __call__(self, log_probs: np.ndarray) -> Hypothesis:
        labels = [torch.tensor(Alphabet("abc").encode(word)) for word in WORDS]
        losses = torch.nn.functional.ctc_loss(
            torch.from_numpy(log_probs)[:, None].repeat(1, len(WORDS), 1),
            torch.cat(labels),
            torch.full((len(WORDS),), len(log_probs)),
            torch.tensor([len(each) for each in labels]),
            reduction="none",
        )
        shares = torch.softmax(-losses, 0)
        best = int(shares.argmax())
        return Hypothesis(WORDS[best], float(-losses[best]), float(shares[best]), (), ())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Network:
    settings = TrainingSettings(**{**FAST.model_dump(), "epochs": 12})
    network = Network(SMALL, 6, 4)
    network.load_state_dict(run(tmp_path_factory.mktemp("state"), settings).weights)
    return network.eval().requires_grad_(False)


def stranger(count: int, nearer: float = 0.52) -> tuple[list[str], list[str], list[np.ndarray]]:
    """Words by a voice whose letters are all between two of those that the network knows."""
    random = np.random.default_rng(5)
    patterns = np.eye(3, 6, dtype=np.float32).repeat(2, axis=1)[:, :6] * 3
    patterns = (1 - nearer) * patterns + nearer * np.roll(patterns, 1, axis=0)
    texts = [WORDS[random.integers(len(WORDS))] for _ in range(count)]
    matrices = []
    for text in texts:
        rows = [np.concatenate([np.tile(patterns["abc".index(c)], (3, 1)), np.zeros((2, 6))]) for c in text]
        matrix = np.concatenate(rows)
        matrices.append((matrix + 0.3 * random.normal(size=matrix.shape)).astype(np.float32))
    return [f"s{number}" for number in range(count)], texts, matrices


def errors(network: Network, decoder, texts: list[str], matrices: list[np.ndarray]) -> int:
    found = [decoder(each).text for each in emissions(network, matrices)]
    return sum(map(str.__ne__, found, texts))


SETTINGS = AdaptationSettings(rounds=5, learning_rate=3e-3)


def test_a_voice_that_is_half_understood_is_understood(trained: Network) -> None:
    ids, texts, matrices = stranger(80)
    decoder = WordDecoder()
    before = copy.deepcopy(trained.state_dict())
    told = []
    adapted = self_train(
        trained, Alphabet("abc"), decoder, ids, matrices, noisy, SETTINGS, 1, lambda *each: told.append(each)
    )
    # Seen: 19 and 2.
    assert errors(trained, decoder, texts, matrices) >= 10
    assert errors(adapted.network, decoder, texts, matrices) <= 5
    assert told == list(enumerate(adapted.rounds)) and len(told) == 5
    assert adapted.rounds[0].num_changed == 80 > adapted.rounds[-1].num_changed
    # The model itself stays as it is, and its copy is as ready to transcribe.
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.state_dict().items())
    assert not adapted.network.training and not any(each.requires_grad for each in adapted.network.parameters())
    again = self_train(trained, Alphabet("abc"), decoder, ids, matrices, noisy, SETTINGS, 1)
    weights = again.network.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapted.network.state_dict().items())


def test_the_weights_hang_on_samples_and_seed_alone(trained: Network) -> None:
    """Not on random numbers drawn before, nor on the number of threads, nor on what stands in freed memory."""
    ids, _, matrices = stranger(12)
    settings = AdaptationSettings(rounds=2, epochs=1, learning_rate=3e-3)
    decoder = Decoder(Alphabet("abc"), DecodingSettings())
    num_threads = torch.get_num_threads()
    found = []
    try:
        for number, left_behind in ((1, 0.0), (2, math.nan)):
            torch.manual_seed(number)
            torch.set_num_threads(number)
            freed = [torch.full((2**size,), left_behind) for size in range(4, 18) for _ in range(8)]
            del freed
            adapted = self_train(trained, Alphabet("abc"), decoder, ids, matrices, noisy, settings, 1)
            found.append(adapted.network.state_dict())
    finally:
        torch.set_num_threads(num_threads)
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())
    assert any(not torch.equal(tensor, trained.state_dict()[name]) for name, tensor in found[0].items())


def test_nothing_to_learn_leaves_the_weights_as_they_are(trained: Network) -> None:
    decoder = Decoder(Alphabet("abc"), DecodingSettings())
    _, _, matrices = stranger(3)
    silent = [np.zeros((0, 6), np.float32), np.zeros((9, 6), np.float32)]  # the second is read as blanks alone
    by_prior = SETTINGS.model_copy(update={"match_prior": True})
    cases = [(chosen, each) for chosen in (SETTINGS, by_prior) for each in (silent, [])]
    for settings, given_matrices in (*cases, (AdaptationSettings(), matrices)):
        ids = [str(number) for number in range(len(given_matrices))]
        adapted = self_train(trained, Alphabet("abc"), decoder, ids, given_matrices, noisy, settings, 1)
        assert adapted.rounds == ()
        weights = adapted.network.state_dict()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in trained.state_dict().items())


@pytest.mark.parametrize("match_prior", [False, True])
def test_letters_and_marks_that_make_another_letter_are_not_learnt(match_prior: bool) -> None:
    """k and an acute are k with an acute when they are read, which no training text had."""
    alphabet = Alphabet("aeé\u0301k")
    written = {"aé": 0.9, "e": 0.8, "k\u0301e": 1.0}
    settings = AdaptationSettings(rounds=1, match_prior=match_prior)
    network = Network(SMALL, 6, len(alphabet)).eval().requires_grad_(False)
    order = itertools.cycle(written.items())

    def decoder(log_probs: np.ndarray) -> Hypothesis:
        text, sure = next(order)
        return Hypothesis(text, 0.0, sure)

    matrices = [np.random.default_rng(seed).normal(size=(40, 6)).astype(np.float32) for seed in range(3)]
    adapted = self_train(network, alphabet, decoder, list("xyz"), matrices, noisy, settings, 1)
    # By prior the third sample is taken for one of the other texts.
    assert [each.num_learnt for each in adapted.rounds] == ([3] if match_prior else [2])


# Rounds that leave it deaf


def hypothesis(text: str) -> Hypothesis:
    return Hypothesis(text, 0.0, 1.0, (), ())


@given(st.lists(st.text("ab", max_size=6)), st.lists(st.text("ab", max_size=6)), st.booleans())
def test_what_counts_as_deaf(before: list[str], after: list[str], numbers: bool) -> None:
    first = Heard([np.zeros((1, 2))] * len(before), list(map(hypothesis, before)))
    heard = Heard([np.zeros((1, 2))] * len(after), list(map(hypothesis, after)) if numbers else [])
    if not numbers and after:
        assert collapsed(heard, first) == "the network emits no numbers"
    else:
        assert bool(collapsed(heard, first)) == (2 * len("".join(after)) < len("".join(before)))


def blanks_alone(network: Network) -> None:
    network.head.bias.data[0] += 1000


def no_numbers(network: Network) -> None:
    next(network.encoder.parameters()).data.fill_(math.nan)


def hardly_a_letter(network: Network) -> None:
    """One letter a sample, all along."""
    network.head.bias.data[1] += 1000


def ruined_in(
    monkeypatch: pytest.MonkeyPatch, bad: int, ruin: Callable[[Network], None]
) -> list[dict[str, torch.Tensor]]:
    """Rounds learn as ever, and round ``bad``, from 0, ends in ruin; filled with the weights that each starts from."""
    learn, starts = self_training._learn, []

    def learn_and_ruin(machine, feed, settings, seed, number):
        starts.append(copy.deepcopy(machine.network.state_dict()))
        learn(machine, feed, settings, seed, number)
        if number == bad:
            ruin(machine.network)

    monkeypatch.setattr(self_training, "_learn", learn_and_ruin)
    return starts


@pytest.mark.parametrize("match_prior", [False, True])
@pytest.mark.parametrize("bad", [0, 1, 2])
@pytest.mark.parametrize("ruin", [blanks_alone, no_numbers, hardly_a_letter])
def test_a_round_that_leaves_it_deaf_is_undone_the_last_one_too(trained, monkeypatch, ruin, bad, match_prior) -> None:
    ids, _, matrices = stranger(8)
    starts = ruined_in(monkeypatch, bad, ruin)
    settings = AdaptationSettings(rounds=3, epochs=1, match_prior=match_prior)
    decoder = Decoder(Alphabet("abc"), DecodingSettings())
    told = []
    adapted = self_train(
        trained, Alphabet("abc"), decoder, ids, matrices, noisy, settings, 1, lambda *each: told.append(each)
    )
    assert adapted.undone.startswith(f"round {bad + 1} is undone: ")
    assert len(adapted.rounds) == bad == len(told) and len(starts) == bad + 1
    weights = adapted.network.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in starts[bad].items())


# How often texts are said


@given(
    st.integers(1, 5).flatmap(
        lambda num_texts: st.tuples(
            st.lists(st.lists(st.floats(-20, 0), min_size=num_texts, max_size=num_texts), min_size=1, max_size=20),
            st.lists(st.floats(-3, 0), min_size=num_texts, max_size=num_texts),
        )
    )
)
def test_each_text_gets_its_share(drawn: tuple[list[list[float]], list[float]]) -> None:
    likelihoods, priors = np.array(drawn[0]), np.array(drawn[1])
    posteriors = matched(likelihoods, priors)
    assert posteriors.sum(1) == pytest.approx(np.ones(len(posteriors)))
    shares = np.exp(priors) / np.exp(priors).sum()
    assert posteriors.mean(0) == pytest.approx(shares, rel=0.02)
    # Nothing but a factor a text has come to the likelihoods.
    factors = np.log(posteriors) - likelihoods
    assert factors - factors[:, :1] == pytest.approx(np.tile(factors[0] - factors[0, 0], (len(factors), 1)), abs=1e-6)


def test_a_text_that_no_sample_is_long_enough_for_gets_nothing() -> None:
    likelihoods = np.array([[-1.0, -np.inf, -2.0], [-3.0, -np.inf, -1.0]])
    posteriors = matched(likelihoods, np.zeros(3))
    assert (posteriors[:, 1] == 0).all()
    assert posteriors.sum(1) == pytest.approx([1, 1])
    assert posteriors[:, [0, 2]] == pytest.approx(matched(likelihoods[:, [0, 2]], np.zeros(2)), abs=1e-3)


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_the_probability_of_a_text_is_that_of_all_its_paths(num_slices: int, seed: int) -> None:
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(3), size=num_slices)).astype(np.float32)
    labels = [[1], [1, 1], [2, 1]]
    (found,) = text_likelihoods([log_probs.reshape(num_slices, 3)], labels)
    for text, likelihood in zip(labels, found, strict=True):
        paths = [
            path
            for path in itertools.product(range(3), repeat=num_slices)
            if [label for label, _ in itertools.groupby(path) if label] == text
        ]
        each = [sum(log_probs[at, label] for at, label in enumerate(path)) for path in paths]
        expected = np.logaddexp.reduce(each) if each else -np.inf
        assert likelihood == pytest.approx(expected, abs=1e-4)


def test_a_word_that_is_taken_for_another_is_found_by_its_share(trained: Network) -> None:
    """A voice nearer to the wrong letters, whom self-training alone leads further astray."""
    ids, texts, matrices = stranger(80, 0.55)
    decoder, alphabet = WordDecoder(), Alphabet("abc")
    choices = {key: SETTINGS.model_copy(update={"match_prior": key}) for key in (False, True)}
    adapted = {
        key: self_train(trained, alphabet, decoder, ids, matrices, noisy, chosen, 1) for key, chosen in choices.items()
    }
    wrong = {key: errors(each.network, decoder, texts, matrices) for key, each in adapted.items()}
    # Seen: 48 before, 52 and 15 behind it.
    assert wrong[True] < min(wrong[False], errors(trained, decoder, texts, matrices)) / 2


def test_silence_is_none_of_the_texts_however_often_they_are_said(trained: Network) -> None:
    """Its emission fits the shortest text best by far, and would be the surest sample of it."""
    _, _, matrices = stranger(30)
    matrices += [np.zeros((40, 6), np.float32)] * 2
    decoder = Decoder(Alphabet("abc"), DecodingSettings())
    heard = hear(trained, decoder, matrices)
    texts, confidences = self_training._believed(heard, Alphabet("abc"), matrices, match_prior=True)
    assert texts[-2:] == ["", ""] and confidences[-2:] == [0.0, 0.0] and all(texts[:-2])


def test_too_many_texts_to_match_are_refused(trained: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_training, "MOST_TEXTS", 5)
    ids, _, matrices = stranger(80)
    settings = SETTINGS.model_copy(update={"match_prior": True})
    with pytest.raises(GlyphoneError, match=r"match_prior: 6 different texts were heard in 80 samples; .* at most 5"):
        self_train(trained, Alphabet("abc"), WordDecoder(), ids, matrices, noisy, settings, 1)
