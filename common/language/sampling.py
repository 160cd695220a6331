"""New texts from n-grams, token by token.

A context's n-grams hold a share of its probability; what is left goes to the shorter context, for the tokens that the
n-grams do not name. So a draw takes one of them, or goes on in the shorter context and draws again what they do name.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from common.decoding.compiled import compiled
from common.language.kneser_ney import MAX_ORDER, train
from common.language.ngrams import END, ROOT, UNKNOWN, LanguageError, Ngrams, child, step
from common.language.text import SPACE_TOKEN, tokens_of

# Texts drawn before giving up to find one that is long enough.
MAX_TRIES = 50
# The longest way from a context to the empty one.
_PATH = MAX_ORDER + 1


def sampler(
    texts: Iterable[str], unit: str, order: int, least: int = 1, most: int = 400
) -> Callable[[np.random.Generator], str]:
    """Learn n-grams of texts (modified Kneser-Ney) and return what draws a text of them: generator → text.

    Args:
        unit: word or char.
        order: of the n-grams.
        least, most: characters that a text has; a longer one is cut, a shorter one drawn anew.

    Raises:
        LanguageError: there is no text to learn from; the result raises it where no text is long enough.
    """
    # Of empty texts alone the drawing would never end.
    model, _ = train((tokens for text in texts if (tokens := tokens_of(text, unit))), order)
    return partial(_long_enough, model, sums_of(model), unit, least, most)


def sums_of(model: Ngrams) -> np.ndarray:
    """Sums float64 [N + 1] of the probabilities of all n-grams before each."""
    probabilities = np.where(np.isnan(model.table.log_prob), 0.0, 10.0 ** model.table.log_prob.astype(float))
    return np.concatenate([[0.0], np.cumsum(probabilities)])


def sample(model: Ngrams, sums: np.ndarray, unit: str, generator: np.random.Generator, most: int) -> str:
    """One text of at most ``most`` characters, cut there (words: behind the last whole one, but the first).

    Args:
        sums: ``sums_of(model)``.
        unit: of the model's tokens, word or char.
    """
    numbers = draw(model.table, sums, model.begin, model.numbers[UNKNOWN], model.numbers[END], generator, most + 1)
    tokens = [model.tokens[number] for number in numbers]
    if unit == "word":
        while len(tokens) > 1 and len(" ".join(tokens)) > most:
            tokens.pop()
        return " ".join(tokens)
    return "".join(" " if token == SPACE_TOKEN else token for token in tokens)[:most].strip()


def _long_enough(
    model: Ngrams, sums: np.ndarray, unit: str, least: int, most: int, generator: np.random.Generator
) -> str:
    for _ in range(MAX_TRIES):
        text = sample(model, sums, unit, generator, most)
        if len(text) >= least:
            return text
    raise LanguageError(f"n-grams: {MAX_TRIES} texts were drawn, and none had {least} characters or more")


@compiled
def draw(table, sums, state, unknown, end, generator, most):
    """The tokens of a sentence, at least one and at most ``most``, without its end."""
    tokens = np.empty(most, np.int64)
    count = 0
    while count < most:
        token = draw_token(table, sums, state, unknown, generator)
        if token == end:
            if count:
                break
            continue  # an empty sentence is none
        tokens[count] = token
        count += 1
        _, state = step(table, state, token)
    return tokens[:count]


@compiled
def draw_token(table, sums, state, unknown, generator):
    """A token by its probability in a state; for <unk> another one is drawn."""
    path = np.empty(_PATH, np.int64)
    path[0] = state
    level = 0
    while True:
        node = path[level]
        low, high = np.int64(table.first[node]), np.int64(table.first[node + 1])
        held = sums[high] - sums[low]
        number = generator.random()
        if node == ROOT:
            number *= held  # nothing is shorter
        if number >= held:
            path[level + 1] = table.link[node]
            level += 1
            continue
        wanted = sums[low] + number
        while high - low > 1:  # the last n-gram whose sum is not above it
            middle = (low + high) // 2
            if sums[middle] <= wanted:
                low = middle
            else:
                high = middle
        token = np.int64(table.token[low])
        taken = level
        for place in range(level - 1, -1, -1):
            found = child(table, path[place], token)
            if found >= 0 and not np.isnan(table.log_prob[found]):
                taken = place
                break
        if taken < level:
            level = taken + 1
        elif token == unknown:
            level = 0
        else:
            return token
