"""fast-ctc-decode, unpruned: {"emissions": path, "beam_width": W, "samples": N} → best labels, CPU seconds."""

import json
import sys
import time

import fast_ctc_decode
import numpy as np

question = json.load(sys.stdin)
log_probs = np.load(question["emissions"], allow_pickle=True)["log_probs"][: question["samples"]]
probs = [np.exp(each).astype(np.float32) for each in log_probs]
alphabet = "".join(chr(0x4E00 + label) for label in range(probs[0].shape[1]))
begun = time.process_time()
texts = [fast_ctc_decode.beam_search(sample, alphabet, question["beam_width"], 0.0)[0] for sample in probs]
seconds = time.process_time() - begun
print(json.dumps({"labels": [[ord(c) - 0x4E00 for c in text] for text in texts], "seconds": seconds}))
