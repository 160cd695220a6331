"""kraken's own trainer: {"train", "validation", "spec", "epochs", "settings": [{batch_size, threads, …}], "folder"}.

Prints the seconds of each training epoch, validation left out, for each of the settings; none and the reason for one
that kraken cannot train with. ``train`` and ``validation`` are paths of line images with ``.gt.txt`` beside them;
without ``spec`` the network is kraken's default.
"""

import json
import sys
import time
import warnings

import torch
from kraken.configs import VGSLRecognitionTrainingConfig, VGSLRecognitionTrainingDataConfig
from kraken.train import KrakenTrainer
from kraken.train.vgsl import VGSLRecognitionDataModule, VGSLRecognitionModel
from lightning.pytorch.callbacks import Callback
from threadpoolctl import threadpool_limits

warnings.filterwarnings("ignore")


class Clock(Callback):
    """Seconds from the first batch of an epoch's training to its last."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_) -> None:
        self.started = time.monotonic()

    def on_train_batch_end(self, *_) -> None:
        self.last = time.monotonic()

    def on_validation_start(self, *_) -> None:
        self.seconds.append(self.last - self.started)


def train(question: dict, settings: dict) -> dict:
    torch.manual_seed(1)
    torch.set_num_threads(settings["threads"])
    shared = {
        "training_data": question["train"],
        "evaluation_data": question["validation"],
        "format_type": "path",
        "batch_size": settings["batch_size"],
        "num_workers": settings["workers"],
        "epochs": question["epochs"],
        "num_threads": settings["threads"],
        "checkpoint_path": question["folder"],
        **({"spec": question["spec"]} if question["spec"] else {}),
    }
    clock = Clock()
    config = VGSLRecognitionTrainingConfig(**shared)
    trainer = KrakenTrainer(
        accelerator="cpu",
        devices=1,
        precision=settings["precision"],
        max_epochs=question["epochs"],
        min_epochs=question["epochs"],
        enable_progress_bar=False,
        enable_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        gradient_clip_val=config.gradient_clip_val,
        callbacks=[clock],
    )
    module = VGSLRecognitionModel(config)
    with threadpool_limits(limits=settings["threads"]):
        trainer.fit(module, VGSLRecognitionDataModule(VGSLRecognitionTrainingDataConfig(**shared)))
    return {"seconds": clock.seconds, "parameters": sum(each.numel() for each in module.net.parameters())}


def main() -> None:
    question = json.load(sys.stdin)
    answers = []
    for settings in question["settings"]:
        try:
            answers.append(train(question, settings))
        except RuntimeError as error:  # a precision that the processor has no kernel for, or no memory
            answers.append({"seconds": [], "error": str(error).splitlines()[0]})
        print(settings, answers[-1], file=sys.stderr, flush=True)
    print(json.dumps(answers))


main()
