"""Word error rate on FSDD with each of the six speakers left out of training in turn: the mean of six."""

from statistics import mean

from benchmarks.recipes import evidence
from benchmarks.record import Record
from benchmarks.result import Result

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
RECORDS = tuple(
    Record(f"fsdd_wer/{each}", "fsdd", "audio", "words", {"audio.corpora.0.test_speaker": each}) for each in SPEAKERS
)


def run() -> Result:
    """Train six times, each in a workspace of its own; those that are done answer in seconds."""
    rates, details = {}, {}
    for speaker, record in zip(SPEAKERS, RECORDS, strict=True):
        done = record.run()
        rates[speaker] = done.metrics["words"]["rate"]
        details[speaker] = evidence(done, "words")
    return Result(mean(rates.values()), "fraction", False, {"by_speaker": rates, "runs": details})
