"""Character error rate on German Fraktur lines, with pre-training: whole books held out by rule, code points in NFC."""

from benchmarks.recipes import evidence
from benchmarks.record import Record
from benchmarks.result import Result

RECORDS = (Record("fraktur_cer", "fraktur_pretrained", "ocr", "characters"),)


def run() -> Result:
    done = RECORDS[0].run()
    detail = evidence(done, "characters") | {
        "exact": done.metrics["exact"],
        "by_group": {row["group"]: row["characters"]["rate"] for row in done.metrics["by_group"]},
    }
    return Result(done.metrics["characters"]["rate"], "fraction", False, detail)
