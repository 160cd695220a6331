"""What README and the other pages name exists: commands answer --help, links lead to files, make has the targets."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix() for path in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]
)
TEXT = {page: (REPOSITORY / page).read_text(encoding="utf-8") for page in PAGES}

MODULES = sorted(
    {name for text in TEXT.values() for name in re.findall(r"python -m ((?:pipelines|benchmarks)[.\w]*)", text)}
)
BENCHMARKS = sorted({name for text in TEXT.values() for name in re.findall(r"python -m benchmarks ([a-z]\w+)", text)})
TARGETS = sorted(
    {name for text in TEXT.values() for name in re.findall(r"make ([a-z][\w-]*)(?=[ `)]| {2}|$)", text, re.M)}
)
RECIPES = sorted({name for text in TEXT.values() for name in re.findall(r"RECIPE=(\w+)", text)})
# Words that follow "make" in plain sentences.
PROSE = {"the", "their", "small"}


def links(text: str) -> list[str]:
    """Targets of the Markdown links that lead into the repository, anchors cut off."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link.partition("#")[0] for link in found if not link.startswith(("http:", "https:", "mailto:", "#"))]


def make_targets() -> set[str]:
    """The targets that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("module", MODULES)
def test_command_answers_help(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    for link in links(TEXT[page]):
        assert (REPOSITORY / page).parent.joinpath(link).exists(), f"{page} links to {link}"


def test_readme_names_commands_recipes_and_links() -> None:
    # The patterns above must find something, or the tests prove nothing.
    assert {"pipelines.transcribe", "benchmarks"} <= set(MODULES)
    assert {"repro", "test"} <= set(TARGETS)
    assert {"an4", "speech", "lines"} <= set(RECIPES)
    assert "LICENSE" in links(TEXT["README.md"])


def test_named_targets_are_in_the_makefile() -> None:
    assert set(TARGETS) - PROSE <= make_targets()


def test_every_target_has_a_sentence() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony is not None
    assert set(phony[1].split()) == make_targets()


@pytest.mark.parametrize("recipe", RECIPES)
def test_named_recipes_exist(recipe: str) -> None:
    assert (REPOSITORY / "recipes" / f"{recipe}.yaml").is_file()


def test_recipe_table_names_every_recipe() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", TEXT["README.md"], re.M))
    assert named == {path.stem for path in (REPOSITORY / "recipes").glob("*.yaml")}


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_named_benchmarks_exist(benchmark: str) -> None:
    assert (REPOSITORY / "benchmarks" / f"{benchmark}.py").is_file()


def test_files_named_in_code_marks_exist() -> None:
    for page, text in TEXT.items():
        for name in re.findall(r"`((?:docs|recipes|pipelines|common|audio|ocr)/[\w/]+\.(?:py|yaml|md))`", text):
            if "NAME" not in name:
                assert (REPOSITORY / name).is_file(), f"{page} names {name}"


def test_locks_name_no_index_and_no_folder() -> None:
    for lock in (REPOSITORY / "requirements").glob("*.txt"):
        for line in lock.read_text(encoding="utf-8").splitlines():
            content = line.split("#")[0]
            assert not re.search(r"://|^\s*--|file:|@ ", content), f"{lock.name}: {line}"
            assert not line.startswith("# ") or "/" not in line, f"{lock.name}: {line}"
