"""pyctcdecode with KenLM: {"emissions", "arpa", "words", "settings": [{alpha, …}]} → [{"seconds", "texts"}]."""

import json
import logging
import sys
import time

import numpy as np
from pyctcdecode import build_ctcdecoder

logging.disable(logging.WARNING)
question = json.load(sys.stdin)
data = np.load(question["emissions"], allow_pickle=True)
decoder = build_ctcdecoder(data["labels"].tolist(), question["arpa"], question["words"])
answers = []
for settings in question["settings"]:
    decoder.reset_params(alpha=settings["alpha"], beta=settings["beta"])
    extra = {key: settings[key] for key in ("beam_prune_logp", "token_min_logp") if key in settings}
    decoder.decode(data["log_probs"][0], beam_width=settings["width"], **extra)
    started = time.process_time()
    texts = [decoder.decode(log_probs, beam_width=settings["width"], **extra) for log_probs in data["log_probs"]]
    answers.append({"seconds": time.process_time() - started, "texts": texts})
print(json.dumps(answers))
