"""flashlight-text with KenLM: {"emissions", "arpa", "words", "settings": [{alpha, …}]} → [{"seconds", "texts"}].

Its lexicon decoder, as torchaudio sets it up: a trie of the words' spellings, smeared with the best 1-gram.
"""

import json
import math
import sys
import time

import numpy as np
from flashlight.lib.text.decoder import CriterionType, LexiconDecoder, LexiconDecoderOptions, SmearingMode, Trie
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary

question = json.load(sys.stdin)
data = np.load(question["emissions"], allow_pickle=True)
labels = data["labels"].tolist()
BLANK, SILENCE = 0, labels.index(" ")
place = {label: number for number, label in enumerate(labels)}


def spelled(word: str) -> list[int]:
    """Labels of a word as the emissions spell it: pairs of letters where there is one, from the left."""
    found = []
    while word:
        size = max(size for size in (1, 2) if word[:size] in place)
        found.append(place[word[:size]])
        word = word[size:]
    return found


words = Dictionary()
for word in [*question["words"], "<unk>"]:
    words.add_entry(word)
words.set_default_index(words.get_index("<unk>"))
model = KenLM(question["arpa"], words)
trie = Trie(len(labels), SILENCE)
start = model.start(False)
for word in question["words"]:
    index = words.get_index(word)
    _, score = model.score(start, index)
    trie.insert(spelled(word), index, score)
trie.smear(SmearingMode.MAX)
emissions = [np.ascontiguousarray(each, np.float32) for each in data["log_probs"]]


def decode(decoder: LexiconDecoder, log_probs: np.ndarray) -> str:
    results = decoder.decode(log_probs.ctypes.data, *log_probs.shape)
    return " ".join(words.get_entry(word) for word in results[0].words if word >= 0) if results else ""


answers = []
for settings in question["settings"]:
    options = LexiconDecoderOptions(
        beam_size=settings["width"],
        beam_size_token=min(settings.get("tokens", len(labels)), len(labels)),
        beam_threshold=settings.get("threshold", 50.0),
        lm_weight=settings["alpha"] * math.log(10),  # its KenLM gives log10 P
        word_score=settings["beta"],
        unk_score=float("-inf"),
        sil_score=0.0,
        log_add=settings.get("log_add", False),
        criterion_type=CriterionType.CTC,
    )
    decoder = LexiconDecoder(options, trie, model, SILENCE, BLANK, words.get_index("<unk>"), [], False)
    decode(decoder, emissions[0])
    started = time.process_time()
    texts = [decode(decoder, log_probs) for log_probs in emissions]
    answers.append({"seconds": time.process_time() - started, "texts": texts})
print(json.dumps(answers))
