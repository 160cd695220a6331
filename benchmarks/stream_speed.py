"""Samples a second that one worker of a stream makes, by processor time: recipe, signal and slices of each generator.

The value is that of scene text. By processor time, since other work may share the machine.
"""

import sys
import time
from typing import Any

from benchmarks.result import Result
from common.mapping import map_ordered
from common.training.stream import Job, stream_id
from pipelines.modalities import MODULES, modality
from pipelines.settings import stream_reader
from pipelines.stream_making import make

# Name → modality, settings of its generator, samples of a round.
GENERATORS: dict[str, tuple[str, dict[str, Any], int]] = {
    "print": ("ocr", {"style": "clean"}, 400),
    "scene": ("ocr", {"style": "scene"}, 400),
    "voice, varied": ("audio", {}, 60),
    "voice, conditions": ("audio", {"varied": False}, 60),
}
NUM_ROUNDS = 3


def run() -> Result:
    speeds = {name: median([speed(name, number) for number in range(NUM_ROUNDS)]) for name in GENERATORS}
    for name, each in speeds.items():
        print(f"{name:<18}{each:>8.0f} samples a second", file=sys.stderr)
    return Result(speeds["scene"], "samples/s", True, {"samples_per_cpu_second": speeds, "rounds": NUM_ROUNDS})


def speed(name: str, number: int) -> float:
    """Samples a second of processor time in one round, the first sample, which loads and compiles, aside."""
    kind_name, generator, num_samples = GENERATORS[name]
    kind = modality(kind_name)
    reader = stream_reader(kind)
    assert reader is not None and reader.recipe is not None
    settings = reader.Settings(**generator)
    front = kind.SliceSettings()

    def one(place: int) -> None:
        assert reader is not None and reader.recipe is not None
        sample = reader.recipe(settings, 1, stream_id(number, place), None)
        make(Job(sample, 1), MODULES[kind_name], front)

    # With one thread, as in a worker.
    list(map_ordered(one, [num_samples], num_workers=1))
    started = time.process_time()
    list(map_ordered(one, range(num_samples), num_workers=1))
    return num_samples / (time.process_time() - started)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
