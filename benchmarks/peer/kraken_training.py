"""kraken's own trainer: {"train", "validation", "spec", "epochs", "settings": [{batch_size, threads, …}], "folder"}.

Prints the seconds of each training epoch, validation left out, for each of the settings. ``train`` and ``validation``
are paths of line images with ``.gt.txt`` beside them.
"""

import json
import sys
import time
import warnings
from unittest.mock import MagicMock

# kraken reads binary datasets with it, which are not used here; its current releases do not go with the older NumPy
# that other peers of this environment need.
sys.modules |= dict.fromkeys(("pyarrow", "pyarrow.compute"), MagicMock())

import torch  # noqa: E402
from kraken.configs import VGSLRecognitionTrainingConfig, VGSLRecognitionTrainingDataConfig  # noqa: E402
from kraken.train import KrakenTrainer  # noqa: E402
from kraken.train.vgsl import VGSLRecognitionDataModule, VGSLRecognitionModel  # noqa: E402
from lightning.pytorch.callbacks import Callback  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

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


question = json.load(sys.stdin)
answers = []
for settings in question["settings"]:
    torch.manual_seed(1)
    torch.set_num_threads(settings["threads"])
    shared = dict(  # noqa: C408 - these are keywords
        training_data=question["train"],
        evaluation_data=question["validation"],
        format_type="path",
        batch_size=settings["batch_size"],
        num_workers=settings["workers"],
        spec=question["spec"],
        epochs=question["epochs"],
        num_threads=settings["threads"],
        checkpoint_path=question["folder"],
    )
    clock = Clock()
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
        callbacks=[clock],
    )
    module = VGSLRecognitionModel(VGSLRecognitionTrainingConfig(**shared))
    with threadpool_limits(limits=settings["threads"]):
        trainer.fit(module, VGSLRecognitionDataModule(VGSLRecognitionTrainingDataConfig(**shared)))
    answers.append({"seconds": clock.seconds, "parameters": sum(each.numel() for each in module.net.parameters())})
print(json.dumps(answers))
