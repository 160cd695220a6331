"""The page that explains a model on a file: what it says, that it stands alone, and what bad input ends in."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
import soundfile
import torch

from common.archive import write_zip
from common.bundle import write_bundle
from common.errors import GlyphoneError
from common.explanation.parameters import arrays, rows_of_table
from common.markdown import plain
from common.network import Network, NetworkSettings
from pipelines import explain
from pipelines.modalities import modality
from pipelines.recipe import compose
from pipelines.recogniser import Recogniser

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "recurrent.md"
MAX_FIGURE_BYTES = 150_000
SYMBOLS = list(" ab*_|<&`[")  # all that Markdown and HTML know


def write_model(folder: Path, name: str, cell: str, seed: int = 3, **changes) -> Path:
    """A model folder with random weights, steep enough to write many different letters."""
    torch.manual_seed(seed)
    values = {"cell": cell, "convolutions": [{"channels": 4, "stride": [2, 2]}], "num_layers": 1, "num_hidden": 12}
    chosen = NetworkSettings.model_validate(values | changes)
    kind = modality(name)
    slice_settings = kind.SliceSettings()
    num_features = kind.num_features(slice_settings)
    network = Network(chosen, num_features, len(SYMBOLS) + 1)
    network.head.weight.data *= 30
    description = {
        "modality": name,
        "alphabet": SYMBOLS,
        "slice_settings": slice_settings.model_dump(mode="json"),
        "text_settings": {},
        "num_features": num_features,
        "step": kind.step(slice_settings),
        "unit": kind.unit,
        "summary": {},
    }
    write_bundle(folder, network.state_dict(), chosen, description, "# Random\n")
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two models, a sound and a picture; the names of both files are markup."""
    root = tmp_path_factory.mktemp("world")
    write_model(root / "audio", "audio", "gru")
    write_model(root / "ocr", "ocr", "lstm", num_layers=4)
    random = np.random.default_rng(0)
    rhythm = np.repeat(random.uniform(0.01, 0.5, 40), 400)
    soundfile.write(root / "a_b*c [x](y) <b>.wav", random.normal(size=len(rhythm)) * rhythm * 0.3, 8000)
    cv2.imwrite(str(root / "word.png"), random.integers(0, 255, (40, 90), np.uint8))
    return root


class Reader(HTMLParser):
    """Text and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def sound_page(world):
    path = world / "page.html"
    sound = next(world.glob("*.wav"))
    beside = ["--beside", str(world / "ocr"), str(world / "word.png")]
    assert explain.main([str(world / "audio"), str(sound), "-o", str(path), *beside]) == 0
    return path


def test_the_page_says_what_transcribe_says(world, sound_page):
    page = Reader(sound_page.read_text(encoding="utf-8"))
    for name, pattern in (("audio", "*.wav"), ("ocr", "*.png")):
        file = next(world.glob(pattern))
        read = Recogniser.load(world / name, "cpu").transcribe(file)
        assert len(read.text) > 3
        assert f"{read.text}." in page.text
        assert file.name in page.text
        if name == "audio":
            drawn = [each for each in read.symbols if (each.start + each.end) / 2 < 1.8]  # 90 emissions of 0.02 s
            assert len(drawn) > 3
            for symbol in drawn:
                assert f"{'␣' if symbol.text == ' ' else symbol.text} {symbol.start:g} to {symbol.end:g}" in page.text
    for gate in ("reset gate", "update gate", "forget gate", "cell state"):
        assert gate in page.text


def test_places_in_a_scaled_picture_are_rounded(world, tmp_path):
    """A slice of it is 1.1875 pixels of the file wide, an emission 2.375."""
    file, output = tmp_path / "line.png", tmp_path / "page.md"
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 255, (38, 190), np.uint8))
    assert explain.main([str(world / "ocr"), str(file), "-o", str(output)]) == 0
    places = re.findall(r"\*\* ([\d.]+) to ([\d.]+)[,.]", output.read_text(encoding="utf-8"))
    read = Recogniser.load(world / "ocr", "cpu").transcribe(file).symbols
    assert len(places) == len(read) > 1
    for drawn, symbol in zip(places, read, strict=True):
        assert [float(each) for each in drawn] == pytest.approx([symbol.start, symbol.end], abs=0.051)
        assert max(len(each.partition(".")[2]) for each in drawn) <= 1


def test_the_page_stands_alone(sound_page):
    text = sound_page.read_text(encoding="utf-8")
    page = Reader(text)
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "iframe", "object", "b"} & set(tags)
    assert tags.count("style") == tags.count("h1") == tags.count("main") == 1
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset"):
            if value := attributes.get(name):
                assert value.startswith(("data:", "#"))
        assert "style" not in attributes, "the policy would drop it"
    figures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(figures) >= 7
    assert all(each["role"] == "img" and len(each["aria-label"] or "") > 30 for each in figures)
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    masks = re.findall(r"url\(#([\w-]+)\)", text)
    assert len(masks) > 20 and set(masks) <= set(names)
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")


def test_a_part_is_drawn_of_the_whole_computation(world):
    sound, path = next(world.glob("*.wav")), world / "part.html"
    explain.main([str(world / "audio"), str(sound), "-o", str(path), "--start", "0.5", "--end", "1.25"])
    text = Reader(path.read_text(encoding="utf-8")).text
    assert "The figures show 0.5 to 1.25 of 2 seconds" in text
    assert Recogniser.load(world / "audio", "cpu").transcribe(sound).text in text
    path_shown = re.search(r"space\):\s*(\S+)\s", text)
    assert path_shown is not None and len(path_shown[1]) == pytest.approx(0.75 / 0.02, abs=1)


@pytest.mark.parametrize("cell", ["transformer", "rnn", "cifg"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_every_kind_of_cell_has_a_page(world, tmp_path, cell, bidirectional):
    model = write_model(tmp_path / "m", "ocr", cell, bidirectional=bidirectional)
    explain.main([str(model), str(world / "word.png"), "-o", str(tmp_path / "out.md")])
    text = (tmp_path / "out.md").read_text(encoding="utf-8")
    figures = {path.name for path in (tmp_path / "images").iterdir()}
    assert figures == set(re.findall(r"\]\(images/([\w.-]+)\)", text))
    for name in figures:
        ET.parse(tmp_path / "images" / name)
    assert ("there are no gates" in text) == (cell == "transformer")
    assert ("forget gate" in " ".join(re.findall(r"!\[(.*)\]", text))) == (cell == "cifg")
    assert any("backwards" in name for name in figures) == (bidirectional and cell != "transformer")
    # Slices of both modalities are, by default, of the whole file: no emission is there before its end.
    one_way = "where they are normalised by the whole file"
    assert (one_way in " ".join(text.split())) == (not bidirectional and cell != "transformer")
    assert "the past alone" not in text


def test_a_file_in_which_nothing_is_read(world, tmp_path):
    model = write_model(tmp_path / "m", "ocr", "lstm")
    bundle = Recogniser.load(model, "cpu").bundle
    bundle.network.head.bias[0] = 1e4
    weights = bundle.network.state_dict()
    settings = NetworkSettings(convolutions=[{"channels": 4, "stride": [2, 2]}], num_layers=1, num_hidden=12)
    fields = ("modality", "slice_settings", "text_settings", "num_features", "step", "unit", "summary")
    description = {name: getattr(bundle, name) for name in fields}
    write_bundle(model, weights, settings, {**description, "alphabet": SYMBOLS}, "")
    explain.main([str(model), str(world / "word.png"), "-o", str(tmp_path / "out.html")])
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    text = Reader(page).text
    assert re.search(r"The model read:\s+nothing\.", text) and "all paths of\nits text together 1;" in text
    assert "the posterior of the blank; read was: nothing" in page


def test_an_archive_is_explained_as_its_folder(world, tmp_path):
    files = {path.name: path.read_bytes() for path in (world / "ocr").iterdir()}
    write_zip(tmp_path / "ocr.zip", "ocr", files)
    pages = []
    for model in (world / "ocr", tmp_path / "ocr.zip"):
        assert explain.main([str(model), str(world / "word.png"), "-o", str(tmp_path / "a page.md")]) == 0
        pages.append((tmp_path / "a page.md").read_text(encoding="utf-8").replace(str(model), "MODEL"))
    assert pages[0] == pages[1]
    links = re.findall(r"\]\((images/[^)]*)\)", pages[0])
    assert links and all(re.fullmatch(r"\S+", link) and (tmp_path / unquote(link)).is_file() for link in links)


def test_bad_input_ends_in_one_line(world, tmp_path):
    audio, sound = str(world / "audio"), str(next(world.glob("*.wav")))
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    alien = write_model(tmp_path / "alien", "audio", "gru")
    description = (alien / "bundle.json").read_text(encoding="utf-8")
    (alien / "bundle.json").write_text(description.replace('"audio"', '"smell"'), encoding="utf-8")
    out = ["-o", str(tmp_path / "x.html")]
    for arguments, sentence in (
        ([str(tmp_path / "nowhere"), sound, *out], "nowhere: not a model folder"),
        ([str(alien), sound, *out], "modality 'smell': there are audio, ocr"),
        ([audio, str(tmp_path / "missing.wav"), *out], "missing.wav: no such file"),
        ([audio, str(tmp_path / "broken.wav"), *out], "broken.wav: not a sound file"),
        ([audio, str(tmp_path), *out], "a folder"),
        ([audio, str(world / "word.png"), *out], "word.png: not a sound file"),
        ([audio, sound, "-o", str(tmp_path / "x.pdf")], "must end in .html, .htm, .md"),
        ([audio, sound, *out, "--start", "2.5"], "--start 2.5 --end 2: a part of 0 to 2 s"),
        ([audio, sound, *out, "--start", "nan"], "--start nan"),
        ([audio, sound, *out, "--start", "1", "--end", "0.5"], "--start 1 --end 0.5"),
        ([audio, sound, *out, "--beside", str(tmp_path / "none"), sound], "none: not a model folder"),
    ):
        with pytest.raises(GlyphoneError) as caught:
            explain.main(arguments)
        assert sentence in str(caught.value) and "\n" not in str(caught.value)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(61 * 1000), 1000)
    with pytest.raises(GlyphoneError, match=r"long\.wav: 61\.00 s of sound"):
        explain.main([audio, sound, *out, "--beside", audio, str(long)])
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    "text", ["*a*", "_b_", "`c`", "[d](e)", "<b>", "&amp;", "a|b", "a\n\n# b", "![x](y)", "\\", "~~s~~"]
)
def test_no_text_is_markup(text):
    from markdown_it import MarkdownIt

    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(f"read **{plain(text)}**.")
    page = Reader(rendered)
    assert [tag for tag, _ in page.tags] == ["p", "strong"]
    assert page.text == f"read {' '.join(text.split())}.\n"


def test_the_documentation_is_of_the_default_recipe():
    """The table of docs/recurrent.md is that of the default text-image network; its figures are there, and small."""
    text = PAGE.read_text(encoding="utf-8")
    section = compose("default")["ocr"]
    kind = modality("ocr")
    num_features = kind.num_features(kind.SliceSettings(**section["slices"]))
    num_labels = re.search(r"a probability for each of (\d+) labels", text)
    assert num_labels is not None
    found = arrays(NetworkSettings(**section["network"]), num_features, int(num_labels[1]))
    for row in rows_of_table(found):
        assert f"| {' | '.join(row)} |" in text
    assert f"| **all** | | | | **{sum(each.num_values for each in found):,}** |" in text
    figures = {path.name for path in PAGE.parent.glob("images/recurrent-*")}
    assert len(figures) >= 8
    assert figures == set(re.findall(r"!\[.+\]\(images/([\w.-]+)\)", text))
    assert all((PAGE.parent / "images" / name).stat().st_size < MAX_FIGURE_BYTES for name in figures)
