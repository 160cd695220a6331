"""The house rules: who imports whom, what dvc.yaml says of the stages, how fast commands answer, how long files are."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.modalities import MODULES
from pipelines.settings import MODELS, OWN_MODELS

ROOT = Path(__file__).parent.parent
ROOMS = ("common", "audio", "ocr", "pipelines")
STAGES = ("prepare", "extract", "pretrain", "train", "lm", "tune", "evaluate", "report")
MAX_LINES = {"tests": 500}
USUAL_MAX_LINES = 300
TOP_KEYS = ("seed", "recipe", "modalities")
SOURCES = sorted(path for folder in (*ROOMS, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def module_file(name: str) -> Path | None:
    """File of a module of ours, or None where there is no such module."""
    path = ROOT / Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports, also inside functions; for ``from a import b`` both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(names: set[str]) -> set[str]:
    """Files of ours, relative to the repository, that importing the modules leads to; without empty __init__ files."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            path = module_file(".".join(parts[:length]))
            if path is None:
                continue
            relative = path.relative_to(ROOT).as_posix()
            if relative not in found and parts[0] in ROOMS:
                found.add(relative)
                waiting.update(imported(path))
    return {path for path in found if (ROOT / path).read_text(encoding="utf-8").strip()}


def asked_keys(stage: str) -> set[str]:
    """The keys of the ``settings.read`` calls of a stage's module."""
    keys: set[str] = set()
    tree = ast.parse((ROOT / "pipelines" / f"{stage}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "settings.read":
            assert all(isinstance(each, ast.Constant) for each in node.args[1:]), ast.unparse(node)
            keys.update(each.value for each in node.args[1:])
    return keys


def stages() -> dict[str, dict]:
    return YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def code_deps(stage: str) -> list[str]:
    """Dependencies on code, with ``${item.modality}/`` written out for each modality."""
    deps = [dep for dep in stages()[stage]["deps"] if dep.split("/")[0] not in ("data", "models", "results")]
    return [each for dep in deps for each in dict.fromkeys(dep.replace("${item.modality}", name) for name in MODULES)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_stay_short(path: Path) -> None:
    limit = MAX_LINES.get(path.relative_to(ROOT).parts[0], USUAL_MAX_LINES)
    assert path.read_text(encoding="utf-8").count("\n") <= limit


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    forbidden = {
        "common": {"audio", "ocr", "pipelines"},
        "audio": {"ocr", "pipelines"},
        "ocr": {"audio", "pipelines"},
        "pipelines": {"audio", "ocr"},  # by name in modalities.py alone
    }[room]
    for path in (ROOT / room).rglob("*.py"):
        for name in imported(path):
            assert name.split(".")[0] not in forbidden, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(
    ("library", "room"),
    [("cv2", "ocr"), ("soundfile", "audio"), ("torchaudio", "audio"), ("hibari", "audio"), ("dvc", None)],
)
def test_libraries_stay_in_their_rooms(library: str, room: str | None) -> None:
    for path in SOURCES:
        top = path.relative_to(ROOT).parts[0]
        if top in ("tests", "benchmarks") or top == room:
            continue
        assert library not in {name.split(".")[0] for name in imported(path)}, path.relative_to(ROOT)


def test_every_stage_is_in_dvc_yaml() -> None:
    assert tuple(stages()) == STAGES
    for stage, entry in stages().items():
        assert entry["matrix"] == {"modality": "${modalities}"}
        assert entry["cmd"] == f"python -m pipelines.{stage} ${{item.modality}}"


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_those_the_stage_asks_for(stage: str) -> None:
    asked = {key if key in TOP_KEYS else "${item.modality}." + key for key in asked_keys(stage)}
    assert set(stages()[stage].get("params", ())) == asked


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_import_closure(stage: str) -> None:
    """Static imports, and what is imported by name: the modality, and the models of the sections asked for."""
    names = {f"pipelines.{stage}", *(MODELS[key].partition(":")[0] for key in asked_keys(stage) if key in MODELS)}
    modules = closure(names)
    if "pipelines/modalities.py" in modules:
        modules |= closure(set(MODULES.values()))
    deps = code_deps(stage)
    uncovered = {path for path in modules if not any(path == dep or path.startswith(dep + "/") for dep in deps)}
    assert not uncovered, f"{stage}: dvc.yaml lacks {sorted(uncovered)}"
    unused = {dep for dep in deps if not any(path == dep or path.startswith(dep + "/") for path in modules)}
    assert not unused, f"{stage}: dvc.yaml names {sorted(unused)}, which the stage does not import"


def test_settings_of_the_network_need_no_torch() -> None:
    """They are checked by every command before any work."""
    for path in closure({"pipelines.combinations", "common.network_settings"}):
        assert "torch" not in {name.split(".")[0] for name in imported(ROOT / path)}, path


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_let_dvc_remember_runs(stage: str) -> None:
    """With an output that is neither cached nor metric nor plot, DVC keeps no run of the stage in its run cache."""
    assert all(isinstance(out, str) for out in stages()[stage].get("outs", ()))
    for out in [*stages()[stage].get("metrics", ()), *stages()[stage].get("plots", ())]:
        ((_, properties),) = out.items()
        assert properties["cache"] is False


def test_every_section_of_the_settings_is_used() -> None:
    asked = set().union(*map(asked_keys, STAGES))
    assert {"corpora", *MODELS, *OWN_MODELS} <= asked


COMMANDS = sorted(
    path.stem for path in (ROOT / "pipelines").glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_needs_no_torch(command: str) -> None:
    code = (
        "import sys, time, runpy\n"
        f"sys.argv = ['pipelines.{command}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('pipelines.{command}', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('\\n', time.process_time(), 'torch' in sys.modules, 'cv2' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},  # a terminal or pipe that has no arrows and dashes
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    seconds, has_torch, has_cv2 = done.stdout.split()[-3:]
    # Processor time, since other work may share the machine.
    assert float(seconds) < 1.0
    assert (has_torch, has_cv2) == ("False", "False")
