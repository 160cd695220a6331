"""calamari's own trainer for a fixed time, then its texts.

{"train", "validation", "test", "network", "height", "batch_size", "threads", "seconds", "folder"}: the splits are lists
of line images with ``.gt.txt`` beside them; ``network`` is one that calamari has by name, or its notation of one;
``height`` is that of its lines in pixels.

Prints the texts of the validation and test lines by the weights with the best validation accuracy, and what the
training did. All else is as ``calamari-train`` has it by default, but that it stops at the time and not early, and that
lines are prepared in its own process: beside one core, starting others takes longer than it saves.
"""

import json
import os
import shutil
import sys
import time
import warnings
from pathlib import Path

# Said before TensorFlow is loaded, or it talks much.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")

# ruff: noqa: E402
import tensorflow as tf
from calamari_ocr.ocr.dataset.datareader.file import FileDataParams
from calamari_ocr.ocr.predict.params import PredictorParams
from calamari_ocr.ocr.predict.predictor import Predictor
from calamari_ocr.scripts.train import parse_args
from tensorflow import keras

SEED = 1
NO_END = 1_000_000  # epochs


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Budget(keras.callbacks.Callback):
    """Ends the training after so many seconds, validation and the keeping of the best weights included.

    They begin behind the first batch, so that building the graph takes none of them.
    """

    def __init__(self, seconds: float, batch_size: int) -> None:
        super().__init__()
        self.seconds, self.batch_size = seconds, batch_size
        self.history: list[dict[str, float]] = []
        self.lines = 0

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def on_train_batch_end(self, batch, logs=None) -> None:
        if not self.lines:
            self.started = time.monotonic()
        self.lines += self.batch_size
        if self.elapsed() >= self.seconds:
            self.model.stop_training = True  # a last validation follows, beyond the time

    def on_epoch_end(self, epoch, logs=None) -> None:
        errors = round(float(logs["val_CER"]), 5)
        self.history.append({"seconds": round(self.elapsed(), 1), "lines": self.lines, "errors": errors})
        say(f"calamari: {self.history[-1]} of {self.seconds:.0f} s")


def fit(question: dict) -> tuple[Budget, int]:
    """The training, and how many weights it trained."""
    # As a user types it.
    params = parse_args(
        [
            *("--trainer.output_dir", question["folder"], "--trainer.random_seed", str(SEED)),
            *("--trainer.epochs", str(NO_END), "--early_stopping.n_to_go", "-1", "--trainer.progress_bar", "False"),
            *("--network", question["network"], "--data.line_height", str(question["height"])),
            *("--train.batch_size", str(question["batch_size"])),
            *("--data.pre_proc.run_parallel", "False"),
            *("--train.images", *question["train"], "--val.images", *question["validation"]),
        ]
    )
    trainer = params.scenario.cls().create_trainer(params)
    budget = Budget(question["seconds"], question["batch_size"])
    trainer.train(callbacks=[budget])
    return budget, budget.model.count_params()


def texts(folder: Path, paths: list[str]) -> list[str]:
    """What the best weights read; empty where calamari cannot read a line."""
    params = PredictorParams(silent=True, progress_bar=False)
    params.pipeline.num_processes = 1
    predictor = Predictor.from_checkpoint(params, str(folder / "best.ckpt"))
    found = dict.fromkeys(Path(path).name for path in paths)
    for sample in predictor.predict(FileDataParams(images=paths)):
        found[f"{sample.meta['id']}{Path(paths[0]).suffix}"] = sample.outputs.sentence
    return [text or "" for text in found.values()]


def main() -> None:
    question = json.load(sys.stdin)
    tf.config.threading.set_intra_op_parallelism_threads(question["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    folder = Path(question["folder"])
    shutil.rmtree(folder, ignore_errors=True)  # of a training that was killed
    budget, parameters = fit(question)
    answer = {
        "seconds": budget.history[-1]["seconds"],
        "lines": budget.lines,
        "validations": len(budget.history),
        "best": min(budget.history, key=lambda row: row["errors"]),
        "parameters": parameters,
    }
    for split in ("validation", "test"):
        say(f"calamari: reading {len(question[split])} lines of {split}")
        answer[split] = texts(folder, question[split])
    print(json.dumps(answer))


if __name__ == "__main__":  # it starts processes that import this file
    main()
