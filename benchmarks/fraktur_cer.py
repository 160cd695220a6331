"""Character error rate on German Fraktur lines, with pre-training: whole books held out by rule, code points in NFC."""

from benchmarks.recipes import evidence, run_recipe
from benchmarks.result import Result


def run() -> Result:
    done = run_recipe("fraktur_cer", "fraktur_pretrained", "ocr")
    detail = evidence(done, "characters") | {
        "exact": done.metrics["exact"],
        "by_group": {row["group"]: row["characters"]["rate"] for row in done.metrics["by_group"]},
    }
    return Result(done.metrics["characters"]["rate"], "fraction", False, detail)
