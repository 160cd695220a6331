"""Share of test texts read without a mistake on the default text images: fonts never trained on."""

from benchmarks.recipes import evidence, run_recipe
from benchmarks.result import Result


def run() -> Result:
    done = run_recipe("default_ocr_accuracy", "default", "ocr", needs_data=False)
    detail = evidence(done, "exact") | {"character_error_rate": done.metrics["characters"]["rate"]}
    return Result(done.metrics["exact"]["share"], "fraction", True, detail)
