"""Share of the greedy errors on AN4's fixed test set that a word model of the training transcripts takes away."""

from benchmarks.recipes import evidence, run_recipe
from benchmarks.result import Result

# Chosen on validation data, as alpha, beta and beam width are by stage tune.
WORDS = {
    "audio.language.unit": "word",
    "audio.language.order": 4,
    "audio.decoding.engine": "beam_lm",
    "audio.tune.alphas": [0.2, 0.4, 0.6, 0.8, 1.0],
    "audio.tune.betas": [0.0, 1.0, 2.0, 3.0],
    "audio.tune.beam_widths": [64],
}


def run() -> Result:
    """Train as ``an4_wer_greedy`` does and in its workspace; then decode the same emissions with the word model."""
    greedy = run_recipe("an4_wer_greedy", "an4", "audio")
    words = run_recipe("an4_wer_greedy", "an4", "audio", WORDS)
    before, after = greedy.metrics["words"]["errors"], words.metrics["words"]["errors"]
    detail = {"greedy": evidence(greedy, "words"), "word model": evidence(words, "words")}
    return Result(1 - after / before, "fraction", True, detail)
