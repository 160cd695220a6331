"""Answers of the original ctcdecode with language models, as far as its scores mean what ours do.

Its score of a beam holds no sentence end, counts the last word in the score but not in the order, and takes beta for
every character off again; what is left is the acoustic score, beta for words, and alpha · ln P(</s>).
"""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from common.decoding.fusion import FusedSearch
from common.errors import GlyphoneError
from common.language.arpa import read_arpa

GOLDEN = Path(os.environ.get("GLYPHONE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
GOLDEN = GOLDEN / "decoding" / "ctcdecode_golden.json"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip("no decoding/ctcdecode_golden.json in GLYPHONE_DATA")
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def reported(beam, text, unit, model, alpha, beta):
    """What the original would say of one of our beams."""
    words = text.split()
    tokens = words if unit == "word" else list(text)
    end = model.score(tokens)[-1] * math.log(10)
    added = beta * (len(words) - len(text)) if unit == "word" else 0.0
    return -(beam.acoustic + added - alpha * end)


@pytest.mark.parametrize("unit", ["word", "char"])
def test_scores_are_those_of_the_original(golden, tmp_path, unit):
    (tmp_path / "model.arpa").write_text(golden["lms"][unit], encoding="utf-8")
    model = read_arpa(tmp_path / "model.arpa")
    num_compared = 0
    for run in golden["runs"]:
        data, params = golden["inputs"][run["input"]], run["params"]
        if run["lm"] != unit or params["cutoff_top_n"] < len(data["labels"]):
            continue
        alpha, beta = params["alpha"], params["beta"]
        search = FusedSearch.of_arpa(data["labels"][1:], str(tmp_path / "model.arpa"), alpha, beta)
        for number, item in enumerate(run["items"]):
            probs = np.array(data["probs"][number])[: params.get("seq_lens", [None] * 2)[number]]
            log_probs = np.log(probs).astype(np.float32)
            # A wide beam of ours has all alignments; those of the original are narrow, and the characters' emissions
            # are flat: it has lost some.
            width = 500
            beams = {tuple(beam.labels): beam for beam in search.search(log_probs, width, width)}
            for place, (labels, score) in enumerate(zip(item["labels"], item["scores"], strict=False)):
                beam = beams.get(tuple(labels))
                if beam is None:  # its last word is none of the dictionary: a beginning of one, with -1000
                    continue
                ours = reported(beam, "".join(data["labels"][label] for label in labels), unit, model, alpha, beta)
                exact = unit == "word" and params["beam_width"] == 50 and place < 5
                lost = 1e-3 if exact else 0.25 if place == 0 else math.inf
                assert ours - 1e-3 <= score <= ours + lost
                num_compared += 1
            best = search.search(log_probs, params["beam_width"])[0]
            assert tuple(best.labels) in {tuple(labels) for labels in item["labels"]}
    assert num_compared >= 20


def test_a_missing_model_is_told(tmp_path):
    with pytest.raises((GlyphoneError, OSError), match=r"missing\.arpa"):
        FusedSearch.of_arpa(["a"], str(tmp_path / "missing.arpa"), 0.5, 1.0)
