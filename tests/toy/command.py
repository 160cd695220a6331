"""A stage's command with the toy as a modality, in workers too: ``python -m tests.toy.command prepare toy``."""

import sys
from importlib import import_module

from common.errors import run
from pipelines.modalities import MODULES

MODULES["toy"] = "tests.toy.modality"

if __name__ == "__main__":
    stage = sys.argv.pop(1)
    run(import_module(f"pipelines.{stage}").main)
