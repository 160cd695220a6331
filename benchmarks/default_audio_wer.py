"""Word error rate on the default speech corpus: sentences in conditions of voice, room and noise never trained on."""

from benchmarks.recipes import evidence, run_recipe
from benchmarks.result import Result


def run() -> Result:
    done = run_recipe("default_audio_wer", "default", "audio", needs_data=False)
    detail = evidence(done, "words") | {"by_condition": conditions(done.metrics)}
    return Result(done.metrics["words"]["rate"], "fraction", False, detail)


def conditions(metrics: dict) -> dict[str, float | None]:
    """Word error rate of each group of the test set."""
    return {row["group"]: row["words"]["rate"] for row in metrics["by_group"]}
