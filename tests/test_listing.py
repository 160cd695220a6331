"""A corpus's listing changes with whatever its settings name, wherever it lies."""

# ruff: noqa: F811  (fixtures of another file)
from pathlib import Path

import pytest

from pipelines import recipe
from pipelines.listing import listing
from tests.test_recipe import workspace  # noqa: F401  (a fixture)


def test_a_table_of_the_repository_counts_in_the_listing(workspace: Path) -> None:
    folder = workspace.parent / "corpus"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"1")
    tree = {"modalities": ["audio"], "audio": {"corpora": [{"reader": "manifest", "root": str(folder)}]}}
    entry = tree["audio"]["corpora"][0]
    entry["manifest"] = "recipes/words.tsv"
    seen = []
    for text in ("path\ttext\n", "path\ttext\na.wav\thello\n"):
        Path("recipes/words.tsv").write_text(text, "utf-8")
        recipe.fill_listings(tree, download=False)
        seen.append(entry["listing"])
    assert seen[0] != seen[1] and all(each.startswith(listing(folder) + "+") for each in seen)


@pytest.mark.parametrize("key", ["manifest", "list", "train", "test"])
@pytest.mark.parametrize("place", ["../lists/x", "{outside}/x", ".hidden/x", "link/x", "folder/x", "linked file"])
def test_what_settings_name_counts_wherever_it_lies(workspace: Path, key: str, place: str) -> None:
    folder, outside = workspace.parent / "corpus", workspace.parent / "lists"
    for each in (outside, folder / ".hidden", folder / "folder"):
        each.mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    (folder / "linked file").symlink_to(outside / "y")
    name = place.format(outside=outside)
    entry = {"reader": "manifest", "root": str(folder), key: [name] if key == "train" else name}
    seen = []
    for text in ("path\ttext\na.wav\thello\n", "path\ttext\na.wav\tworld\n"):
        (folder / name).write_text(text, "utf-8")
        recipe.fill_listings({"modalities": ["audio"], "audio": {"corpora": [entry]}}, download=False)
        seen.append(entry["listing"])
    assert seen[0] != seen[1]
    assert ("+" in seen[0]) == (place not in ("folder/x", "linked file"))


def test_listing_sees_names_sizes_and_texts(tmp_path: Path) -> None:
    def write(name: str, content: bytes) -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        return listing(tmp_path)

    seen = [listing(tmp_path), write("a/x.wav", b"123"), write("a/x.txt", b"hello"), write("text", b"x 1")]
    seen += [write("a/x.txt", b"hallo"), write("text", b"x 2"), write("a/x.wav", b"1234"), write("b.png", b"")]
    assert len(set(seen)) == len(seen)
    # A recording counts by its size: 100,000 of them are not read through for each run.
    assert write("a/x.wav", b"4321") == seen[-1]
    assert write(".hidden", b"1") == seen[-1]
