"""ctcdecode's interface for emissions that come in chunks; chunking changes nothing."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from common.decoding.batch_decoder import CTCBeamDecoder, Found, like, packed


class DecoderState:
    """One stream between two chunks: its beam, and its emissions, which the timesteps are aligned to.

    Memory and the time of a call grow with the length of the stream: its emissions are kept, and aligned at each call.
    It keeps the weights of the language model that it began with.
    """

    def __init__(self, decoder: "OnlineCTCBeamDecoder") -> None:
        if not isinstance(decoder, OnlineCTCBeamDecoder):
            raise ValueError(f"decoder is {decoder!r}; the OnlineCTCBeamDecoder that the stream is for is needed")
        self.search = decoder.search
        self.beam = self.search.begin(decoder.beam_width)
        self.log_probs = np.zeros((0, decoder.num_labels), np.float32)
        self.decoder = decoder
        self.ended = False


class OnlineCTCBeamDecoder(CTCBeamDecoder):
    """As ``CTCBeamDecoder``, over chunks.

    >>> decoder = OnlineCTCBeamDecoder(labels, beam_width=20)
    >>> state = DecoderState(decoder)
    >>> for chunk, is_last in chunks:
    ...     labels, scores, timesteps, lengths = decoder.decode(chunk, [state], [is_last])
    """

    @property
    def beam_width(self) -> int:
        return self._beam_width

    @property
    def num_labels(self) -> int:
        return len(self._labels)

    def decode(  # type: ignore[override]  # the original's two classes differ so
        self, probs: Any, states: Sequence[DecoderState], is_eos_s: Sequence[bool], seq_lens: Any = None
    ) -> tuple[Any, Any, Any, Any]:
        """Decode the next chunk of each stream; the results are of the streams from their beginnings.

        With a language model, a stream that has not ended may stand within a word: neither its last word nor the end is
        scored then, and in results of the end they are, as in those of ``CTCBeamDecoder``.

        Args:
            probs: [B, T, V], as for ``CTCBeamDecoder.decode``.
            states: [B], a stream each, made for this decoder; they are changed.
            is_eos_s: [B], whether the stream ends with this chunk; then its state takes no more.
            seq_lens: [B] slices of the chunk that count; none: all T.

        Returns:
            As ``CTCBeamDecoder.decode``, with the greatest length of a result in place of T.

        Raises:
            ValueError: what ``CTCBeamDecoder.decode`` refuses, other numbers of states or ends than samples, one state
                twice, of another decoder, or of a stream that has ended. No state is changed then.
        """
        samples, _ = self._emissions(probs, seq_lens)
        for name, value in (("states", states), ("is_eos_s", is_eos_s)):
            if not hasattr(value, "__len__"):
                raise ValueError(f"{name} is {value!r}; one a sample is needed")
        if not len(samples) == len(states) == len(is_eos_s):
            raise ValueError(
                f"{len(samples)} samples, {len(states)} states and {len(is_eos_s)} ends: one each is needed"
            )
        if len(set(map(id, states))) < len(states):
            raise ValueError("states: one stands twice; each stream needs its own")
        for b, state in enumerate(states):
            if getattr(state, "decoder", None) is not self:
                raise ValueError(f"states: that of sample {b} was made for another decoder")
            if state.ended:
                raise ValueError(f"states: the stream of sample {b} has ended; a new one needs a new DecoderState")
        with ThreadPoolExecutor(min(self._num_threads, max(1, len(samples)))) as threads:
            found = list(threads.map(self._advance, samples, states, is_eos_s))
        longest = max((one.labels.shape[1] for one in found), default=0)
        return like(probs, *packed(found, self._beam_width, longest))

    def _advance(self, log_probs: np.ndarray, state: DecoderState, is_end: bool) -> Found:
        state.beam = state.search.extended(state.beam, log_probs)
        state.log_probs = np.concatenate((state.log_probs, log_probs))
        state.ended = bool(is_end)
        return self._found(state.log_probs, *state.search.results(state.beam, self._beam_width, state.ended))
