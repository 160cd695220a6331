"""Choose a recipe: ``params.yaml`` from ``recipes/default.yaml`` and the overrides of ``recipes/NAME.yaml``."""

import argparse
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from common.download import fetch
from common.errors import GlyphoneError, SettingsError, run
from common.files import write_text
from common.manifest import outside_table
from pipelines.combinations import idle
from pipelines.listing import file_digest, listing, unlisted
from pipelines.modalities import MODULES, modality
from pipelines.report import other_run
from pipelines.roots import download_folder, find_file, find_root, resolve_root
from pipelines.settings import PARAMS, check, load
from pipelines.voter_folders import voter_folders, voters_digest
from pipelines.warm_model import model_digest, warm_start_folder

RECIPES = Path("recipes")
DEFAULT = RECIPES / "default.yaml"
# Keys that this program fills in itself.
FILLED_IN = {"listing", "text_digest", "warm_start_digest", "voters_digest"}
# Key of a recipe: the one that it is laid over, if not the default.
BASE = "extends"
# Keys of readers that name a file or a folder of the corpus, or a list of them.
NAMING = ("manifest", "list", "train", "validation", "test")
# The reader of corpora that are made and not read: it needs no folder.
SYNTHETIC = "synthetic"


def merge(base: dict[str, Any], override: Mapping[str, Any]) -> None:
    """Lay ``override`` over ``base``, in place: maps key by key, everything else (lists too) replaced."""
    for key, value in override.items():
        if isinstance(base.get(key), dict) and isinstance(value, Mapping):
            merge(base[key], value)
        else:
            base[key] = value


def compose(name: str, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a recipe: a name in ``recipes`` or the path of a file; without listings.

    A recipe with ``extends: NAME`` is laid over that one, others over the default.

    Args:
        above: the recipes that are laid over this one.

    Raises:
        GlyphoneError: there is no such recipe, or it is no YAML map, or it extends itself.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(each.stem for each in RECIPES.glob("*.yaml")))
        if not names:
            raise GlyphoneError(f"{RECIPES}: no recipes there; call it from the folder of the checkout")
        raise GlyphoneError(f"recipe {name!r}: there are {names}; or give the path of a .yaml file of your own")
    if path.resolve() == DEFAULT.resolve():
        tree = load(DEFAULT, comments=True)
    else:
        override = load(path, comments=True)
        above = (*above, path.resolve())
        tree = compose(_base(override.pop(BASE, DEFAULT.stem), path, above), above)
        merge(tree, override)
    tree["recipe"] = path.stem
    return tree


def _base(name: Any, path: Path, above: tuple[Path, ...]) -> str:
    if not isinstance(name, str) or (RECIPES / f"{name}.yaml").resolve() in above:
        raise GlyphoneError(f"{path}: {BASE}: {name!r}: allowed: the name of another recipe, not above it")
    return name


def folders_needed(tree: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(key, modality, entry) of every corpus that lies in a folder, of the modalities that the recipe runs."""
    found = []
    for name in _modalities(tree):
        section = tree.get(name)
        entries = section.get("corpora") if isinstance(section, Mapping) else None
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            # What is malformed is left for the settings' own check, which reports everything at once.
            if isinstance(entry, dict) and entry.get("reader") != SYNTHETIC:
                found.append((f"{name}.corpora.{number}", name, entry))
    return found


def _modalities(tree: Mapping[str, Any]) -> list[str]:
    """The modalities that the recipe runs; what is malformed is left for the settings' own check."""
    named = tree.get("modalities")
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []


def set_root(tree: Mapping[str, Any], root: str) -> None:
    """Point the one corpus of a recipe that lies in a folder to ``root``; a table there is read as a manifest.

    Raises:
        SettingsError: the recipe has none or several of them, or there is nothing at ``root``.
    """
    found = folders_needed(tree)
    if len(found) != 1:
        keys = ", ".join(key for key, _, _ in found) or "none"
        raise SettingsError(f"--root {root}: the recipe must have one corpus that lies in a folder; it has {keys}")
    path = Path(root).expanduser()
    if not path.exists():
        raise SettingsError(f"--root {root}: there is no such folder or table")
    entry = found[0][2]
    if path.is_file():
        entry.clear()
        # A table may be a link: its paths start where the link is.
        entry.update(reader="manifest", root=str(path.parent.resolve()), manifest=path.name)
    else:
        entry["root"] = str(path.resolve())


def fill_listings(tree: Mapping[str, Any], download: bool) -> None:
    """Write the digest of its files into every corpus that lies in a folder; fetch what is missing if asked for.

    Raises:
        GlyphoneError: a folder is missing: says where it was looked for and how to set it.
    """
    for key, name, entry in folders_needed(tree):
        root, reader = str(entry.get("root") or ""), str(entry.get("reader"))
        if not root:
            raise GlyphoneError(
                f"{key}.root: the folder of the corpus is needed: set it, or call with --root FOLDER "
                "(make: ROOT=FOLDER)"
            )
        readers = modality(name).corpora if name in MODULES else {}
        missing = readers[reader].missing if reader in readers else None
        if download and missing:
            # Mistakes in the settings end here, not after gigabytes.
            own = next(corpus.own for corpus in check(tree, name, PARAMS)["corpora"] if corpus.key == key)
            for archive in missing(own, find_root(root) or download_folder(root)):
                print(f"{key}: fetching {archive.url} to {archive.folder}", file=sys.stderr)
                fetch(archive.url, archive.sha256, archive.folder, archive.member)
        hint = "or call with --download (make: DOWNLOAD=1)" if missing else ""
        if download and not missing:
            hint = f"or fetch it by hand: no checked download is known for {reader}"
        folder = resolve_root(root, f"{key}.root", hint)
        table = outside_table(str(entry.get("manifest") or ""), folder)
        digests = [file_digest(table)] if table else list(unlisted(folder, _named_in(entry)))
        entry["listing"] = "+".join([listing(folder), *digests])


def _named_in(entry: Mapping[str, Any]) -> Iterator[str]:
    """Files and folders of a corpus that its entry names."""
    for value in map(entry.get, NAMING):
        yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))


def fill_text_digests(tree: Mapping[str, Any]) -> None:
    """Write the digest of its text file into every ``language`` section that names one.

    Raises:
        GlyphoneError: the file is missing.
    """
    for name in _modalities(tree):
        section = tree[name].get("language") if isinstance(tree.get(name), Mapping) else None
        if isinstance(section, dict) and isinstance(section.get("text"), str) and section["text"]:
            section["text_digest"] = file_digest(find_file(section["text"], f"{name}.language.text"))


def fill_warm_start_digests(tree: Mapping[str, Any]) -> None:
    """Write the digest of the model that it starts from into every ``training`` section that names one.

    Raises:
        GlyphoneError: there is no such model, or it is the one that this training would overwrite.
    """
    for name in _modalities(tree):
        section = tree[name].get("training") if isinstance(tree.get(name), Mapping) else None
        if isinstance(section, dict) and isinstance(section.get("warm_start"), str) and section["warm_start"]:
            with warm_start_folder(section["warm_start"], name) as folder:
                section["warm_start_digest"] = model_digest(folder)


def fill_voters_digests(tree: Mapping[str, Any]) -> None:
    """Write the digest of the models that vote into every ``evaluate`` section that names some.

    Raises:
        GlyphoneError: there is no such model, it stands twice, or it is the one that is evaluated.
    """
    for name in _modalities(tree):
        section = tree[name].get("evaluate") if isinstance(tree.get(name), Mapping) else None
        if not isinstance(section, dict):
            continue
        voters = section.get("voters")
        if isinstance(voters, list) and voters and all(isinstance(each, str) for each in voters):
            with voter_folders(voters, name) as folders:
                section["voters_digest"] = voters_digest(folders)


def check_other_runs(tree: Mapping[str, Any]) -> None:
    """Look for the runs that reports compare with: a report without its run would be told after all the training.

    Raises:
        GlyphoneError: there is none, or it cannot be read.
    """
    for name in _modalities(tree):
        section = tree[name].get("report") if isinstance(tree.get(name), Mapping) else None
        other_run(name, section.get("compare_with") or "" if isinstance(section, Mapping) else "")


def check_all(tree: Mapping[str, Any], path: str | Path = PARAMS) -> list[str]:
    """Check the settings of all modalities in full; returns what has no effect, a line each.

    Raises:
        SettingsError: the mistakes of all of them, each once.
    """
    mistakes: list[str] = []
    without_effect: list[str] = []
    for name in _modalities(tree) or MODULES:
        try:
            without_effect += [f"{path}: {name}.{told}" for _, told in idle(check(tree, name, path))]
        except SettingsError as error:
            mistakes += str(error).split("\n")
    if mistakes:
        raise SettingsError("\n".join(dict.fromkeys(mistakes)))
    return without_effect


def write_params(tree: dict[str, Any], path: str | Path = PARAMS) -> None:
    """Check the settings in full, name what has no effect, then write them: equal trees give equal bytes."""
    for line in check_all(tree, path):
        print(line, file=sys.stderr)
    yaml = YAML(pure=True)
    yaml.width, yaml.allow_unicode = 120, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(tree, text)
    new = text.getvalue()
    if not Path(path).is_file() or Path(path).read_text(encoding="utf-8") != new:
        write_text(path, new)


def say_replaced(tree: Mapping[str, Any], path: str | Path = PARAMS) -> None:
    """Name on standard error what a person changed since the same recipe was written, and what it becomes now."""
    if not Path(path).is_file():
        return
    before = load(path)
    if before.get("recipe") == tree.get("recipe"):
        for line in _replaced(before, tree):
            print(f"{path}: {line}, as the recipe says; without a recipe's name your settings stay", file=sys.stderr)


def _replaced(old: Any, new: Any, key: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new} - FILLED_IN, key=str):
            yield from _replaced(old.get(name), new.get(name), f"{key}.{name}" if key else str(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _replaced(one, other, f"{key}.{number}")
    elif old != new:
        yield f"{key}: {old!r} becomes {new!r}"


def targets(tree: Mapping[str, Any]) -> str:
    """What to ask of ``dvc repro``: the last stage of every modality of the recipe."""
    return " ".join(f"report@{name}" for name in tree["modalities"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.recipe", description=__doc__)
    parser.add_argument("recipe", nargs="?", metavar="NAME", help="a file of recipes/, or the path of your own .yaml")
    parser.add_argument("--root", metavar="FOLDER", help="folder of the recipe's corpus")
    parser.add_argument("--download", action="store_true", help="fetch a missing corpus that has an open address")
    parser.add_argument("--refresh", action="store_true", help="keep params.yaml, look again at the corpora's files")
    parser.add_argument("--targets", action="store_true", help="print the targets for `dvc repro` and do nothing else")
    options = parser.parse_args(arguments)
    if sum((options.recipe is not None, options.refresh, options.targets)) != 1:
        parser.error("give one of NAME, --refresh and --targets")
    if options.targets:
        tree = load(PARAMS)
        check(tree, next(iter(_modalities(tree) or MODULES)), PARAMS)
        print(targets(tree))
        return
    present = options.refresh and Path(PARAMS).is_file()
    tree = load(PARAMS, comments=True) if present else compose(options.recipe or DEFAULT.stem)
    if options.root:
        set_root(tree, options.root)
    check_all(tree)
    check_other_runs(tree)
    fill_listings(tree, options.download)
    fill_text_digests(tree)
    fill_warm_start_digests(tree)
    fill_voters_digests(tree)
    if not options.refresh:
        say_replaced(tree)
    write_params(tree)


if __name__ == "__main__":
    run(main)
