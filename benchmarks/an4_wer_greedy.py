"""Word error rate on AN4's fixed test set: greedy decoding, no language model."""

from benchmarks.recipes import by_transcript, evidence, run_recipe
from benchmarks.result import Result


def run() -> Result:
    done = run_recipe("an4_wer_greedy", "an4", "audio", {"audio.decoding.engine": "greedy"})
    detail = evidence(done, "words") | {
        "by_transcript": by_transcript(done, "words"),
        "character_error_rate": done.metrics["characters"]["rate"],
        "line": done.metrics["line"],
    }
    return Result(done.metrics["words"]["rate"], "fraction", False, detail)
