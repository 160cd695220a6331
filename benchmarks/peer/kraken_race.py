"""kraken's own trainer for a fixed time, then its texts.

{"train", "validation", "test", "spec", "batch_size", "threads", "workers", "precision", "augment", "direction",
"seconds", "folder"}: the splits are lists of line images with ``.gt.txt`` beside them; no ``spec`` is kraken's default
network; ``direction`` is what a user gives as ``--base-dir``: auto, L or R.

Prints the texts of the validation and test lines by the checkpoint with the best validation accuracy, and what the
training did. All else is as ``ketos train`` has it by default, but that it stops at the time and not early. A killed
run goes on from its last checkpoint.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from kraken.configs import (
    RecognitionInferenceConfig,
    VGSLRecognitionTrainingConfig,
    VGSLRecognitionTrainingDataConfig,
)
from kraken.containers import BBoxLine, Segmentation
from kraken.train import KrakenTrainer
from kraken.train.vgsl import VGSLRecognitionDataModule, VGSLRecognitionModel
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import Callback
from PIL import Image
from threadpoolctl import threadpool_limits

SEED = 1
CHECKPOINT_SECONDS = 120.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Budget(Callback):
    """Ends the training after so many seconds of ``fit``, validation and checkpoints included; keeps the best weights.

    The last checkpoint carries what was spent, so that a killed run has what is left of its time.
    """

    def __init__(self, seconds: float, folder: Path) -> None:
        self.seconds, self.folder = seconds, folder
        self.spent, self.best, self.best_epoch = 0.0, -float("inf"), -1
        self.history: list[dict[str, float]] = []
        self.lines = 0

    def state_dict(self) -> dict:
        kept = ("best", "best_epoch", "history", "lines")
        return {"spent": self.elapsed(), **{key: getattr(self, key) for key in kept}}

    def load_state_dict(self, state: dict) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def elapsed(self) -> float:
        return self.spent + time.monotonic() - self.started

    def save(self, trainer: KrakenTrainer, name: str) -> None:
        part = self.folder / f"{name}.part"
        trainer.save_checkpoint(part)
        os.replace(part, self.folder / f"{name}.ckpt")
        self.saved_at = time.monotonic()

    def on_train_start(self, *_) -> None:
        self.started = self.saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: KrakenTrainer, module: VGSLRecognitionModel, outputs, batch, place) -> None:
        self.lines += len(batch["seq_lens"])
        if self.elapsed() >= self.seconds:
            trainer.should_stop = True  # a last validation follows, beyond the time
        elif time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self.save(trainer, "last")

    def on_validation_end(self, trainer: KrakenTrainer, *_) -> None:
        accuracy = float(trainer.callback_metrics["val_metric"])
        self.history.append({"seconds": round(self.elapsed(), 1), "lines": self.lines, "accuracy": round(accuracy, 5)})
        say(f"kraken: {self.history[-1]} of {self.seconds:.0f} s")
        if accuracy > self.best:
            self.best, self.best_epoch = accuracy, trainer.current_epoch
            self.save(trainer, "best")
        self.save(trainer, "last")


def fit(question: dict) -> Budget:
    folder = Path(question["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "last.ckpt"
    shared = {
        "training_data": question["train"],
        "evaluation_data": question["validation"],
        "partition": 1,
        "format_type": "path",
        "batch_size": question["batch_size"],
        "num_workers": question["workers"],
        "num_threads": question["threads"],
        "precision": question["precision"],
        "augment": question["augment"],
        "bidi_reordering": True if question["direction"] == "auto" else question["direction"],
        "checkpoint_path": str(folder),
        "quit": "fixed",
        **({"spec": question["spec"]} if question["spec"] else {}),
    }
    budget = Budget(question["seconds"], folder)
    config = VGSLRecognitionTrainingConfig(**shared)
    trainer = KrakenTrainer(
        accelerator="cpu",
        devices=1,
        precision=question["precision"],
        max_epochs=-1,
        min_epochs=0,
        enable_progress_bar=False,
        enable_summary=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        accumulate_grad_batches=config.accumulate_grad_batches,
        gradient_clip_val=config.gradient_clip_val,
        callbacks=[budget],
    )
    with threadpool_limits(limits=question["threads"]):
        if last.exists():
            state = torch.load(last, map_location="cpu", weights_only=False)  # written here by an earlier part
            spent = state["callbacks"]["Budget"]["spent"]
            if spent >= question["seconds"]:
                budget.load_state_dict(state["callbacks"]["Budget"])
                return budget
            say(f"kraken: going on after {spent:.0f} s")
            # Another order of lines than the first part had.
            seed_everything(SEED + state["global_step"], workers=True, verbose=False)
            data = VGSLRecognitionDataModule.load_from_checkpoint(last, weights_only=False)
            module = VGSLRecognitionModel.load_from_checkpoint(last, config=state["_module_config"], weights_only=False)
            trainer.fit(module, data, ckpt_path=last, weights_only=False)
        else:
            seed_everything(SEED, workers=True, verbose=False)
            module = VGSLRecognitionModel(config)
            trainer.fit(module, VGSLRecognitionDataModule(VGSLRecognitionTrainingDataConfig(**shared)))
    return budget


def texts(net: Any, paths: list[str]) -> list[str]:
    """What the network reads, in logical order; empty where kraken cannot read a line."""
    found = []
    for number, path in enumerate(paths):
        image = Image.open(path)
        line = BBoxLine(id=str(number), bbox=(0, 0, image.width, image.height))
        segmentation = Segmentation(
            type="bbox",
            imagename=path,
            text_direction="horizontal-lr",
            script_detection=False,
            lines=[line],
        )
        records = list(net.predict(im=image, segmentation=segmentation))
        found.append(records[0].prediction if records else "")
    return found


def main() -> None:
    warnings.filterwarnings("ignore")
    question = json.load(sys.stdin)
    torch.set_num_threads(question["threads"])
    budget = fit(question)
    best = Path(question["folder"]) / "best.ckpt"
    state = torch.load(best, map_location="cpu", weights_only=False)
    module = VGSLRecognitionModel.load_from_checkpoint(best, config=state["_module_config"], weights_only=False)
    net = module.net
    net.prepare_for_inference(
        RecognitionInferenceConfig(
            accelerator="cpu",
            device=1,
            batch_size=1,
            num_threads=question["threads"],
            num_line_workers=0,
            bidi_reordering=True if question["direction"] == "auto" else question["direction"],
        )
    )
    answer = {
        "seconds": budget.history[-1]["seconds"],
        "lines": budget.history[-1]["lines"],
        "validations": len(budget.history),
        "best": max(budget.history, key=lambda row: row["accuracy"]),
        "parameters": sum(each.numel() for each in net.parameters()),
        "spec": net.spec,
    }
    for split in ("validation", "test"):
        say(f"kraken: reading {len(question[split])} lines of {split}")
        answer[split] = texts(net, question[split])
    print(json.dumps(answer))


main()
