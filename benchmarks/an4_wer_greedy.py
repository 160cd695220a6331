"""Word error rate on AN4's fixed test set: greedy decoding, no language model."""

from benchmarks.recipes import by_transcript, evidence
from benchmarks.record import Record
from benchmarks.result import Result

RECORDS = (Record("an4_wer_greedy", "an4", "audio", "words", {"audio.decoding.engine": "greedy"}),)


def run() -> Result:
    done = RECORDS[0].run()
    detail = evidence(done, "words") | {
        "by_transcript": by_transcript(done, "words"),
        "character_error_rate": done.metrics["characters"]["rate"],
        "line": done.metrics["line"],
    }
    return Result(done.metrics["words"]["rate"], "fraction", False, detail)
