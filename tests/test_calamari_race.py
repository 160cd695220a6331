"""calamari's side of a race: which settings are tried, and what its trainer is asked for."""

from pathlib import Path

import pytest

from benchmarks import calamari_race
from benchmarks.calamari_race import BATCH_SIZES, NETWORKS, TRIAL_SECONDS
from benchmarks.line_race import SPLITS, Contest


@pytest.mark.parametrize("seconds", [30.0, 5000.0])
def test_settings_are_chosen_by_validation(seconds: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """calamari itself is played: its texts are right with one batch size alone, which is not the first one tried."""
    monkeypatch.setattr(calamari_race, "workspace", lambda name: tmp_path / name)
    monkeypatch.setattr(calamari_race, "usable_cores", lambda: 2)
    lines = {}
    for split in SPLITS:
        picture = tmp_path / f"{split}.png"
        picture.with_suffix(".gt.txt").write_text("abc\n", encoding="utf-8")
        lines[split] = [str(picture)]
    questions = []

    def play(script: str, question: dict, environment: str, threads: int, shows: bool) -> dict:
        assert (script, environment, threads) == ("calamari_race", "calamari", question["threads"])
        questions.append(question)
        text = "abc" if question["batch_size"] == BATCH_SIZES[-1] else "xyz"
        return {"validation": [text], "test": [text], "lines": question["threads"], "seconds": question["seconds"]}

    monkeypatch.setattr(calamari_race, "ask", play)
    answer = calamari_race.train_calamari(Contest("name", "recipe"), "deep3", lines, seconds)
    assert answer["settings"] == {"batch_size": BATCH_SIZES[-1], "threads": 2}
    assert answer["test"] == ["abc"]
    assert len(answer["trials"]) == 2 * len(BATCH_SIZES)
    asked = [question["seconds"] for question in questions]
    # A trial is long enough to say something, and never longer than the training.
    assert min(seconds, TRIAL_SECONDS) <= asked[0] <= seconds
    assert asked[-1] == seconds
    assert all(question["network"] == NETWORKS["deep3"]["network"] for question in questions)
    number = len(questions)
    calamari_race.train_calamari(Contest("name", "recipe"), "deep3", lines, seconds)
    assert len(questions) == number  # another call asks nothing anew
