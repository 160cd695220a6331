"""What README and the other pages name exists: commands answer --help, links lead to files, make has the targets."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

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
PROSE = {"a", "the", "their", "small"}
# The architecture page and the like; a change log names what is gone.
DESCRIBING = [page for page in PAGES if page != "CHANGELOG.md"]
ROOMS = ("audio", "common", "ocr", "pipelines")
FOLDERS = (*ROOMS, "benchmarks", "docs", "recipes", "requirements", "tests", ".ci", ".dvc")
PRODUCTS = ("data", "models", "results")
MEDIA_TYPES = {"audio/flac"}


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


def calls(text: str) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """(module, with the name of a benchmark, options) of each call of ours in code marks and blocks that has some."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for call in (*lines, *re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))):
        for module, rest in re.findall(r"-m ((?:pipelines|benchmarks)[.\w]*)([^#|&]*)", call):
            name = re.match(r"\s+(\w+)", rest) if module == "benchmarks" else None
            if options := set(re.findall(r"(?<=\s)--?[a-z][\w-]*", rest)):
                yield (module, name[1]) if name else (module,), options


@cache
def help_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_options_in_code_exist(page: str) -> None:
    for command, options in calls(TEXT[page]):
        known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", help_of(*command)))
        assert options <= known, f"{page}: {' '.join(command)}"


def test_calls_with_options_are_found() -> None:
    found = {(command, option) for text in TEXT.values() for command, options in calls(text) for option in options}
    assert {
        (("pipelines.transcribe",), "-f"),
        (("pipelines.adapt",), "-o"),
        (("benchmarks", "ablations"), "--only"),
    } <= found


def test_variables_of_make_in_code_are_in_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    named = {name for text in TEXT.values() for name in re.findall(r"make [a-z-]+ (?:\S+ )*?([A-Z]+)=", text)}
    assert {"RECIPE", "MODELS"} <= named
    assert all(f"$({name})" in makefile for name in named), named


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    for link in links(TEXT[page]):
        assert (REPOSITORY / page).parent.joinpath(link).exists(), f"{page} links to {link}"


def anchors(text: str) -> set[str]:
    """Of a page's titles, as GitHub makes them, and those that it sets itself."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    made = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_titles(page: str) -> None:
    for path, anchor in re.findall(r"\]\(([^)\s#:]*)#([^)\s]+)\)", TEXT[page]):
        target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        known = target.suffix != ".md" or anchor in anchors(target.read_text(encoding="utf-8"))
        assert known, f"{page} links to {path}#{anchor}"


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


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_recipes_and_roots_may_have_blanks_in_their_names() -> None:
    call = ["make", "--dry-run", "repro", "RECIPE=old books/a b.yaml", "ROOT=/old books"]
    done = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert 'pipelines.recipe "old books/a b.yaml" --root "/old books"' in done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_root_without_its_recipe_is_refused() -> None:
    done = subprocess.run(["make", "--dry-run", "repro", "ROOT=/x"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode and "ROOT=/x needs a recipe whose data it is" in done.stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_named_recipes_exist(recipe: str) -> None:
    assert (REPOSITORY / "recipes" / f"{recipe}.yaml").is_file()


def test_recipe_table_names_every_recipe() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", TEXT["README.md"], re.M))
    assert named == {path.stem for path in (REPOSITORY / "recipes").glob("*.yaml")}


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_named_benchmarks_exist(benchmark: str) -> None:
    assert (REPOSITORY / "benchmarks" / f"{benchmark}.py").is_file()


def code(text: str) -> Iterator[str]:
    """Words in code marks and in code blocks; in blocks of YAML, which are examples, none."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", text, flags=re.M | re.S)
    for prose, language, block in zip(parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True):
        for span in re.findall(r"`([^`\n]+)`", prose):
            yield from span.split()
        if language != "yaml":
            yield from block.split()


def paths(text: str, tops: tuple[str, ...]) -> set[str]:
    """The words of ``code`` that are paths below one of the folders and name no NAME to fill in."""
    words = {word.rstrip(".,:;") for word in code(text)}
    return {word for word in words if word.partition("/")[0] in tops and "/" in word and "NAME" not in word}


@pytest.mark.parametrize("page", DESCRIBING)
def test_paths_in_code_exist(page: str) -> None:
    missing = {path for path in paths(TEXT[page], FOLDERS) - MEDIA_TYPES if not list(REPOSITORY.glob(path))}
    # DVC's page of plots is made by `make setup`.
    assert missing <= {".dvc/plots.html"}


@pytest.mark.parametrize("page", DESCRIBING)
def test_products_in_code_are_outputs_of_a_stage(page: str) -> None:
    stages = YAML(typ="safe").load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    entries = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, ())]
    names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    outputs = [name.replace("${item.modality}", "<m>") for name in names]
    for path in paths(TEXT[page], PRODUCTS):
        top, modality, *rest = path.rstrip("/").split("/") if path.rstrip("/").count("/") else (path.rstrip("/"), "<m>")
        assert modality in ("<m>", "*", "audio", "ocr"), path
        general = "/".join((top, "<m>", *rest))
        assert any(f"{general}/".startswith(f"{out}/") or out.startswith(f"{general}/") for out in outputs), path


@pytest.mark.parametrize("page", DESCRIBING)
def test_names_of_python_in_code_exist(page: str) -> None:
    for word in code(TEXT[page]):
        if not re.fullmatch(rf"({'|'.join((*ROOMS, 'benchmarks'))})(\.\w+)+", word):
            continue
        names = word.split(".")
        modules = [REPOSITORY.joinpath(*names[:end]).with_suffix(".py") for end in range(len(names), 1, -1)]
        module = next((path for path in modules if path.is_file()), None)
        # Else a key of the settings, such as audio.training.epochs.
        if module is not None and len(names) > len(module.relative_to(REPOSITORY).parts):
            defined = rf"^(class |def |    def )?{names[-1]}\b"
            assert re.search(defined, module.read_text(encoding="utf-8"), re.M), f"{page} names {word}"


def test_architecture_names_every_file() -> None:
    named = paths(TEXT["docs/architecture.md"], FOLDERS)
    files = [path.relative_to(REPOSITORY) for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")]
    wanted = {path for path in files if path.name != "__init__.py"}
    # A folder inside a room is one entry.
    missing = {path.as_posix() for path in wanted if path.as_posix() not in named and f"{path.parent}/" not in named}
    assert not missing, "docs/architecture.md has no line for these"
    assert len(named) > 60


def test_locks_name_no_index_and_no_folder() -> None:
    for lock in (REPOSITORY / "requirements").glob("*.txt"):
        for line in lock.read_text(encoding="utf-8").splitlines():
            content = line.split("#")[0]
            assert not re.search(r"://|^\s*--|file:|@ ", content), f"{lock.name}: {line}"
            assert not line.startswith("# ") or "/" not in line, f"{lock.name}: {line}"
