"""Run a benchmark by name: progress on standard error, last on standard output one line of JSON."""

import argparse
import ast
from importlib import import_module
from inspect import signature
from pathlib import Path

from common.errors import GlyphoneError, run

FOLDER = Path(__file__).resolve().parent


def benchmarks() -> dict[str, str]:
    """Name → sentence of every benchmark: each file here with a function ``run``. Nothing is imported."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", help="which one; without a name all are listed")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own, where it takes some (NAME --help says)")
    asked = parser.parse_args()
    name = asked.name
    known = benchmarks()
    if name is None:
        width = max(map(len, known))
        for each, sentence in known.items():
            print(f"{each:<{width}}  {sentence}")
        return 0
    if name not in known:
        raise GlyphoneError(f"benchmark {name!r}: there are {', '.join(known)}")
    from benchmarks.result import line

    run_one = import_module(f"benchmarks.{name}").run
    if asked.arguments and not signature(run_one).parameters:
        raise GlyphoneError(f"benchmark {name} takes no arguments: {' '.join(asked.arguments)}")
    result = run_one(asked.arguments) if asked.arguments else run_one()
    print(line(name, result), flush=True)
    return 0


if __name__ == "__main__":
    run(main)
