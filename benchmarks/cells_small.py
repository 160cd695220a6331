"""The table of ``cells`` on a few hundred samples and two epochs: does every cell run, and what does it cost.

Its errors say nothing about a cell.
"""

from benchmarks.cells import MODALITIES, table
from benchmarks.result import Result

SMALLER = {
    "corpora.0.num_train": 200,
    "corpora.0.num_validation": 30,
    "corpora.0.num_test": 30,
    "training.epochs": 2,
}


def run() -> Result:
    return table("cells_small", dict.fromkeys(MODALITIES, SMALLER))
