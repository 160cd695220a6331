"""The sheet of augmented samples shows what training sees, and a mistake on the command line is one line."""

import ast
import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from audio.modality import OF_FREQUENCIES
from common.errors import GlyphoneError
from common.modality import generator
from common.store import Store, StoreWriter
from pipelines import augmented
from pipelines.augmented_page import LEAST_HEIGHT_PX
from pipelines.modalities import modality
from pipelines.training_data import _augmenting

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=["audio", "ocr"])
def world(request, tmp_path, monkeypatch) -> str:
    """A folder with params.yaml and a store of five samples of this modality."""
    name = request.param
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    kind = modality(name)
    chosen = kind.SliceSettings()
    path = tmp_path / "data" / name / "slices" / "train.arrow"
    path.parent.mkdir(parents=True)
    random = np.random.default_rng(0)
    with StoreWriter(
        path,
        modality=name,
        num_features=kind.num_features(chosen),
        step=1.0,
        unit=kind.unit,
        settings={},
        samples_digest="",
    ) as store:
        for number in range(5):
            slices = random.random((0 if number == 4 else 60 + number, kind.num_features(chosen)), dtype=np.float32)
            store.add(f"s{number}", "g", f"<text> {number}", slices, corpus="c")
    monkeypatch.chdir(tmp_path)
    return name


def pictures(page: str) -> list[np.ndarray]:
    return [np.array(Image.open(io.BytesIO(base64.b64decode(each)))) for each in re.findall(r"base64,([^\"]+)", page)]


def test_version_n_is_what_training_sees_in_epoch_n(world: str) -> None:
    assert augmented.main([world, "-o", "a.html", "--ids", "s2", "--versions", "3"]) == 0
    page = Path("a.html").read_text(encoding="utf-8")
    assert "&lt;text&gt; 2" in page and "<text>" not in page
    shown, kind = pictures(page), modality(world)
    slices = Store(Path("data") / world / "slices" / "train.arrow").slices(2).astype(np.float32)
    section = YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))[world]["augment"]
    chosen = kind.AugmentSettings(**section)
    versions = [kind.augment(slices, chosen, generator(1, f"augment {epoch}", "s2")) for epoch in range(3)]
    low, high = slices.min(), slices.max()
    assert len(shown) == 4
    for image, each in zip(shown, [slices, *versions], strict=True):
        times = -(-LEAST_HEIGHT_PX // each.shape[1])
        assert image.shape == (times * each.shape[1], times * len(each))
        ink = each.T[::-1] if world == "audio" else each.T
        expected = 255 * (1 - ((ink - low) / (high - low)).clip(0, 1))
        assert np.abs(image[::times, ::times].astype(float) - expected).max() < 1


def test_each_change_stands_alone_in_its_row(world: str) -> None:
    assert augmented.main([world, "-o", "a.png", "--each", "--samples", "1", "--versions", "1"]) == 0
    first = Path("a.png").read_bytes()
    assert Image.open(io.BytesIO(first)).width > 60
    assert augmented.main([world, "-o", "a.png", "--each", "--samples", "1", "--versions", "1"]) == 0
    assert Path("a.png").read_bytes() == first
    augment = modality(world).AugmentSettings()
    alone = augmented._alone(augment)
    names = [title.partition(":")[0] for title, _ in alone]
    assert names and set(names) == {
        name for name, value in augment.model_dump().items() if value and name not in augment.HOW
    }
    for name, (_, settings) in zip(names, alone, strict=True):
        on = {each for each, value in settings.model_dump().items() if value and each not in augment.HOW}
        assert on == {name}


@pytest.mark.parametrize("modality_name", ["audio", "ocr"])
def test_what_happens_by_chance_always_happens_alone(modality_name: str) -> None:
    """Half of the versions of recorder: 0.5 were the sample itself, and nearly all of inversion: 0.03."""
    kind = modality(modality_name)
    by_chance = sorted(kind.AugmentSettings.HOW_OFTEN)
    alone = dict(augmented._alone(kind.AugmentSettings(**dict.fromkeys(by_chance, 0.01))))
    slices = np.random.default_rng(1).random((60, 24), dtype=np.float32)
    slices -= 9 * np.abs(np.linspace(-1, 1, 60, dtype=np.float32))[:, None]  # quiet ends, to be cut off
    for name in by_chance:
        changed = [kind.augment(slices, alone[f"{name}: 1"], generator(1, "augment 0", str(each))) for each in range(9)]
        assert not any(np.array_equal(each, slices) for each in changed)


def test_each_row_shows_its_own_change(world: str) -> None:
    call = [world, "-o", "a.html", "--each", "--ids", "s2", "--versions", "1"]
    assert augmented.main(call) == 0
    shown, kind = pictures(Path("a.html").read_text(encoding="utf-8")), modality(world)
    slices = Store(Path("data") / world / "slices" / "train.arrow").slices(2).astype(np.float32)
    section = YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))[world]["augment"]
    alone = augmented._alone(kind.AugmentSettings(**section))
    low, high = slices.min(), slices.max()
    assert len(shown) == 2 * len(alone) > 2
    for image, (name, strengths) in zip(shown[1::2], alone, strict=True):
        each = kind.augment(slices, strengths, generator(1, "augment 0", "s2"))
        times = -(-LEAST_HEIGHT_PX // each.shape[1])
        ink = each.T[::-1] if world == "audio" else each.T
        expected = 255 * (1 - ((ink - low) / (high - low)).clip(0, 1))
        assert np.abs(image[::times, ::times].astype(float) - expected).max() < 1, name


def test_samples_are_drawn_by_the_seed(world: str) -> None:
    drawn = []
    for seed in range(1, 9):
        text = Path("params.yaml").read_text(encoding="utf-8")
        Path("params.yaml").write_text(re.sub(r"^seed: \d+", f"seed: {seed}", text, flags=re.M), encoding="utf-8")
        augmented.main([world, "-o", "a.html", "--samples", "2", "--versions", "1"])
        drawn.append(tuple(re.findall(r"<h2><bdi>(\w+)", Path("a.html").read_text(encoding="utf-8"))))
    assert {len(each) for each in drawn} == {2} and len(set(drawn)) > 2


def test_each_picture_is_told_from_the_others_without_eyes(world: str) -> None:
    augmented.main([world, "-o", "a.html", "--each", "--ids", "s1", "s2", "--versions", "2"])
    page = Path("a.html").read_text(encoding="utf-8")
    told = re.findall(r'alt="([^"]*)"', page)
    assert len(told) == len(set(told)) == len(pictures(page))
    assert all(re.fullmatch(r"s([12]), \w+: [\d.]+, (as it is|version [12]): &lt;text&gt; \1", each) for each in told)
    assert '<meta name="viewport"' in page and page.count("<bdi>&lt;text&gt; ") == len(told) / 3


def test_empty_samples_are_left_out(world: str) -> None:
    augmented.main([world, "-o", "a.html", "--samples", "99", "--versions", "1"])
    page = Path("a.html").read_text(encoding="utf-8")
    assert re.findall(r"<h2><bdi>(\w+)", page) == ["s0", "s1", "s2", "s3"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "a.jpg"], r"a\.jpg: the name must end in \.html"),
        (["--ids", "s1", "nobody"], "no sample nobody"),
        (["--set", "nose=1"], "--set nose=1: unknown key; allowed: .*noise"),
        (["--set", "noise=loud"], "--set noise=loud: .*number"),
        (["--set", "noise=-1"], "--set noise=-1: .*greater than or equal to 0"),
    ],
)
def test_a_mistake_is_one_line(world: str, more: list[str], message: str) -> None:
    with pytest.raises(GlyphoneError, match=message) as error:
        augmented.main([world, *more])
    assert "\n" not in str(error.value)


def test_strengths_that_such_slices_cannot_have_are_refused(world: str) -> None:
    if world != "audio":
        return
    yaml = YAML()
    tree = yaml.load(Path("params.yaml"))
    tree["audio"]["slices"]["kind"] = "mfcc"
    tree["audio"]["augment"].update(dict.fromkeys(OF_FREQUENCIES, 0))
    yaml.dump(tree, Path("params.yaml"))
    assert augmented.main([world, "-o", "a.png", "--set", "noise=0.3", "--samples", "1", "--versions", "1"]) == 0
    with pytest.raises(GlyphoneError, match=r"audio\.augment: tilt: 0\.1: with slices\.kind: mfcc only 0"):
        augmented.main([world, "--set", "tilt=0.1"])


def test_nothing_on_is_said(world: str) -> None:
    augment = modality(world).AugmentSettings()
    off = [f"--set={name}=0" for name in augment.model_dump() if name not in augment.HOW]
    with pytest.raises(GlyphoneError, match="--each has none to show"):
        augmented.main([world, "--each", *off])


def test_the_code_that_changes_samples_is_part_of_the_resume_state() -> None:
    """Whatever of a room its augment.py imports."""
    for name in ("audio", "ocr"):
        watched = {path.stem for path in _augmenting(modality(name))}
        tree = ast.parse((ROOT / name / "augment.py").read_text(encoding="utf-8"))
        modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert watched == {"augment", *(each.partition(".")[2] for each in modules if each.startswith(f"{name}."))}
