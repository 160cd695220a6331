"""KenLM's scores: {"arpa": path, "sentences": [text]} → [[log10 P of each word and of </s>]]."""

import json
import sys

import kenlm

question = json.load(sys.stdin)
model = kenlm.Model(question["arpa"])
print(json.dumps([[score for score, _, _ in model.full_scores(text)] for text in question["sentences"]]))
