"""ctcdecode's interface: a batch of probabilities to beams, in threads."""

import math
import operator
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from common.decoding.chosen_search import AcousticSearch, Model, Search, language_model
from common.decoding.cutoffs import cut
from common.decoding.settings import MOST_WEIGHT
from common.decoding.shared_alignment import starts

# More than any search profits from, and still some memory.
MOST_BEAMS = 1_000_000


class Found(NamedTuple):
    """Beams of one sample.

    Attributes:
        labels: int32 [K, L], zero behind each length; lengths: int32 [K].
        scores: float64 [K], log-probabilities, with a language model its share added, best first.
        timesteps: int32 [K, L], the slice where each label begins.
    """

    labels: np.ndarray
    lengths: np.ndarray
    scores: np.ndarray
    timesteps: np.ndarray


class CTCBeamDecoder:
    """Prefix beam search with the signature of ctcdecode's class; ``docs/decoding.md`` says where it means to differ.

    >>> decoder = CTCBeamDecoder(["_", "a", "b"], beam_width=20)
    >>> labels, scores, timesteps, lengths = decoder.decode(probs)
    >>> best = labels[0][0][: lengths[0][0]]
    """

    def __init__(
        self,
        labels: Sequence[str],
        model_path: str | None = None,
        alpha: float = 0,
        beta: float = 0,
        cutoff_top_n: int = 40,
        cutoff_prob: float = 1.0,
        beam_width: int = 100,
        num_processes: int = 4,
        blank_id: int = 0,
        log_probs_input: bool = False,
    ) -> None:
        """Check and keep the settings.

        Args:
            labels: V strings of any length; what stands at the blank's place does not matter.
            model_path: an ARPA file of word or character n-grams, plain or gzip; none: no language model.
            alpha: weight of ln P of the language model, at least 0; of it and of beta at most a million either way.
            beta: added for each word, or each character with character n-grams.
            cutoff_top_n: only so many labels a slice are looked at, the most probable ones.
            cutoff_prob: of these only so many, best first, that their probabilities sum up to it.
            beam_width: prefixes kept after each slice, and rows of the result.
            num_processes: threads; the result is the same with any number.
            blank_id: the blank's place in labels.
            log_probs_input: emissions are natural logarithms of probabilities.

        Raises:
            ValueError: an argument that is not allowed.
        """
        if isinstance(labels, bytes) or not isinstance(labels, Iterable) or not all(isinstance(x, str) for x in labels):
            raise ValueError("labels: a sequence of strings is needed")
        self._labels = list(labels)
        if not self._labels:
            raise ValueError("labels: none are given")
        self._blank = _integer("blank_id", blank_id, 0, len(self._labels) - 1)
        self._top_n = _integer("cutoff_top_n", cutoff_top_n, 1)
        self._beam_width = _integer("beam_width", beam_width, 1, MOST_BEAMS)
        self._num_threads = _integer("num_processes", num_processes, 1)
        self._mass = _number("cutoff_prob", cutoff_prob)
        if not 0 < self._mass <= 1:
            raise ValueError(f"cutoff_prob is {cutoff_prob}; a number above 0 and up to 1 is needed")
        self._log_probs_input = bool(log_probs_input)
        others = [column for column in range(len(self._labels)) if column != self._blank]
        self._columns = np.array([self._blank, *others])
        alpha, beta = _weights(alpha, beta)
        self._model: Model | None = None
        if model_path is not None:
            self._model = language_model([self._labels[column] for column in others], model_path, alpha, beta)

    def decode(self, probs: Any, seq_lens: Any = None) -> tuple[Any, Any, Any, Any]:
        """Decode a batch; numpy arrays come back, or torch tensors for a torch tensor.

        Args:
            probs: [B, T, V] probabilities, or their logarithms with ``log_probs_input``.
            seq_lens: [B] slices that count; none: all T.

        Returns:
            beam_results: int32 [B, W, T] labels, zero behind each length.
            beam_scores: float32 [B, W], -ln P, ascending; +inf where there is no beam. With a language model
                -(ln P + alpha · ln P of the text and its end + beta · words or characters).
            timesteps: int32 [B, W, T], the slice where each label begins on the best alignment.
            out_lens: int32 [B, W].

        Raises:
            ValueError: wrong shapes, lengths outside [0, T], probabilities that are negative, NaN or infinite.
        """
        samples, num_slices = self._emissions(probs, seq_lens)
        with ThreadPoolExecutor(min(self._num_threads, max(1, len(samples)))) as threads:
            found = list(threads.map(self._decode_one, samples))
        return like(probs, *packed(found, self._beam_width, num_slices))

    def character_based(self) -> bool | None:
        """Whether the language model is one of characters; None without one."""
        return None if self._model is None else self._model.character_based

    def max_order(self) -> int | None:
        """Order of the language model; None without one."""
        return None if self._model is None else self._model.max_order

    def dict_size(self) -> int | None:
        """Words of the language model that the labels can spell, 0 with one of characters; None without one."""
        return None if self._model is None else self._model.dict_size

    def reset_params(self, alpha: float, beta: float) -> None:
        """Set the weights of the language model. Raises ValueError where alpha or beta is not allowed."""
        alpha, beta = _weights(alpha, beta)
        if self._model is not None:
            self._model.set_weights(alpha, beta)

    @property
    def search(self) -> Search:
        """The search that decoding uses now."""
        return AcousticSearch() if self._model is None else self._model.search

    def _decode_one(self, log_probs: np.ndarray) -> Found:
        search = self.search
        found = search.extended(search.begin(self._beam_width), log_probs)
        return self._found(log_probs, *search.results(found, self._beam_width, True))

    def _found(self, log_probs: np.ndarray, labels: np.ndarray, lengths: np.ndarray, scores: np.ndarray) -> Found:
        timesteps = starts(log_probs, labels, lengths)
        # Back from blank 0 to the places of the given labels; padding stays zero.
        written = np.arange(labels.shape[1]) < lengths[:, None]
        return Found(np.where(written, self._columns[labels], 0), lengths, scores, timesteps)

    def _emissions(self, probs: Any, seq_lens: Any) -> tuple[list[np.ndarray], int]:
        """Log-probabilities [T, V] of each sample, cut, blank 0; and T of the batch."""
        array = _numpy(probs)
        if array.ndim != 3 or array.shape[2] != len(self._labels):
            raise ValueError(f"probs have shape {list(array.shape)}; [B, T, {len(self._labels)}] is needed")
        num_samples, num_slices, _ = array.shape
        if seq_lens is None:
            lengths = [num_slices] * num_samples
        else:
            given = _numpy(seq_lens, None)
            if given.shape != (num_samples,):
                raise ValueError(f"seq_lens has shape {list(given.shape)}; [{num_samples}] is needed")
            lengths = [_integer("seq_lens", length, 0, num_slices) for length in given.tolist()]
        return [self._one_emission(array[b, :length], b) for b, length in enumerate(lengths)], num_slices

    def _one_emission(self, sample: np.ndarray, number: int) -> np.ndarray:
        allowed = "NaN or +inf" if self._log_probs_input else "negative, NaN or infinite"
        lowest = -math.inf if self._log_probs_input else 0.0
        if sample.size and not (sample.min() >= lowest and sample.max() < math.inf):
            raise ValueError(f"probs of sample {number} have values that are no probabilities: {allowed}")
        if not self._log_probs_input:
            with np.errstate(divide="ignore"):
                sample = np.log(sample)
        sample = cut(np.ascontiguousarray(sample), self._top_n, self._mass)
        return np.ascontiguousarray(sample[:, self._columns])


def packed(found: Sequence[Found], beam_width: int, num_slices: int) -> tuple[np.ndarray, ...]:
    """The four arrays of a batch: labels, scores (-ln P), timesteps, lengths."""
    shape = len(found), beam_width
    labels, timesteps = np.zeros((*shape, num_slices), np.int32), np.zeros((*shape, num_slices), np.int32)
    scores, lengths = np.full(shape, np.inf, np.float32), np.zeros(shape, np.int32)
    for b, one in enumerate(found):
        num, longest = one.labels.shape
        labels[b, :num, :longest], timesteps[b, :num, :longest] = one.labels, one.timesteps
        scores[b, :num], lengths[b, :num] = 0.0 - one.scores, one.lengths
    return labels, scores, timesteps, lengths


def like(given: Any, *arrays: np.ndarray) -> tuple[Any, ...]:
    """The arrays, as torch tensors if the given one is."""
    if isinstance(given, np.ndarray) or not hasattr(given, "detach"):
        return arrays
    import torch

    return tuple(map(torch.from_numpy, arrays))


def _numpy(values: Any, dtype: Any = np.float32) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if dtype is np.float32 else values).numpy()
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"an array of numbers is needed: {error}") from error


def _integer(name: str, value: Any, lowest: int, highest: int | None = None) -> int:
    bounds = f"a whole number from {lowest}" + ("" if highest is None else f" to {highest}") + " is needed"
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}; {bounds}") from None
    if number < lowest or (highest is not None and number > highest):
        raise ValueError(f"{name} is {number}; {bounds}")
    return number


def _weights(alpha: Any, beta: Any) -> tuple[float, float]:
    """Refused without a language model too, where they would say nothing."""
    alpha, beta = _number("alpha", alpha), _number("beta", beta)
    if not 0 <= alpha <= MOST_WEIGHT:
        raise ValueError(f"alpha is {alpha}; at least 0 and at most {MOST_WEIGHT:g} is needed")
    if abs(beta) > MOST_WEIGHT:
        raise ValueError(f"beta is {beta}; at least {-MOST_WEIGHT:g} and at most {MOST_WEIGHT:g} is needed")
    return alpha, beta


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r}; a finite number is needed")
    return number
