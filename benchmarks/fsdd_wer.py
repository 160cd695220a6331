"""Word error rate on FSDD with each of the six speakers left out of training in turn: the mean of six."""

from statistics import mean

from benchmarks.recipes import Run, evidence, run_recipe
from benchmarks.result import Result

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def run_without(speaker: str) -> Run:
    """The recipe's model for a speaker whom training never hears."""
    return run_recipe(f"fsdd_wer/{speaker}", "fsdd", "audio", {"audio.corpora.0.test_speaker": speaker})


def run() -> Result:
    """Train six times, each in a workspace of its own; those that are done answer in seconds."""
    rates, details = {}, {}
    for speaker in SPEAKERS:
        done = run_without(speaker)
        rates[speaker] = done.metrics["words"]["rate"]
        details[speaker] = evidence(done, "words")
    return Result(mean(rates.values()), "fraction", False, {"by_speaker": rates, "runs": details})
