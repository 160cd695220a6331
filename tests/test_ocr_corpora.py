"""Readers of text-image corpora, in the layouts in which they are distributed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from common.errors import GlyphoneError, SampleError
from common.samples import SPLITS, Rejection, Sample
from common.writers import WRITERS
from ocr.corpora import iiit5k
from ocr.corpora.fraktur import split_volumes
from ocr.modality import MODALITY
from tests.writers_world import transcript

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
<Page imageFilename="C:\\scans\\page1.png" imageWidth="100" imageHeight="60">
<TextRegion id="r"><Coords points="0,0 99,0 99,59 0,59"/>
<TextLine id="l1"><Coords points="10,5 60,4 61,20 9,21"/>
  <Word id="w"><Coords points="0,0 1,1"/><TextEquiv><Unicode>word</Unicode></TextEquiv></Word>
  <TextEquiv index="1"><Unicode>worse</Unicode></TextEquiv>
  <TextEquiv index="0"><Unicode> erſte Zeile </Unicode></TextEquiv>
</TextLine>
<TextLine id="l2"><Coords><Point x="10" y="30"/><Point x="20" y="40"/></Coords></TextLine>
</TextRegion></Page></PcGts>"""

ALTO = """<?xml version="1.0"?><alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
<Description><MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>page1.png</fileName>
</sourceImageInformation></Description><Layout><Page><PrintSpace><TextBlock>
<TextLine ID="l1" HPOS="10" VPOS="5" WIDTH="52" HEIGHT="17">
<String CONTENT="erſte"/><SP/><String CONTENT="Zei"/><HYP CONTENT="-"/></TextLine>
<TextLine ID="l2" HPOS="0" VPOS="30" WIDTH="10" HEIGHT="10"><String CONTENT="a"/><String CONTENT="b"/></TextLine>
</TextBlock></PrintSpace></Page></Layout></alto>"""

BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>
<PcGts><Page>&y;</Page></PcGts>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alto>&x;</alto>"""


def listed(name, root, **chosen):
    reader = MODALITY.corpora[name]
    return list(reader.read(reader.Settings(**chosen), root, 1))


def page_image(path):
    values = np.arange(6000, dtype=np.uint32).reshape(60, 100) % 251
    Image.fromarray(values.astype(np.uint8)).save(path)
    return values


def test_page_xml(tmp_path):
    (tmp_path / "book" / "page").mkdir(parents=True)
    (tmp_path / "book" / "page" / "page1.xml").write_text(PAGE)
    values = page_image(tmp_path / "book" / "page1.png")
    first, second = listed("page_xml", tmp_path, group_pattern="^([^/]+)/")
    assert (first.text, first.path, first.group, first.box) == ("erſte Zeile", "book/page1.png", "book", (9, 4, 62, 22))
    assert second.text == "" and second.box == (10, 30, 21, 41)
    assert np.array_equal(MODALITY.load(first, tmp_path), values[4:22, 9:62])
    assert {each.group for each in listed("page_xml", tmp_path)} == {"book/page/page1.xml"}


def test_alto(tmp_path):
    (tmp_path / "page1.xml").write_text(ALTO)
    values = page_image(tmp_path / "page1.png")
    first, second = listed("alto", tmp_path)
    assert (first.text, second.text) == ("erſte Zei-", "a b")
    assert np.array_equal(MODALITY.load(first, tmp_path), values[5:22, 10:62])


def test_lines_at_the_edge_of_the_page(tmp_path):
    """Outlines may run along the right and the lower edge, or beyond: the picture ends there."""
    values = page_image(tmp_path / "page1.png")
    (tmp_path / "page1.xml").write_text(PAGE.replace("10,5 60,4 61,20 9,21", "90,40 100,40 104,60 90,60"))
    line = listed("page_xml", tmp_path)[0]
    assert line.box == (90, 40, 100, 60) and np.array_equal(MODALITY.load(line, tmp_path), values[40:, 90:])
    (tmp_path / "page1.xml").write_text(PAGE.replace("10,5 60,4 61,20 9,21", "90,5 110,5 110,20"))
    with pytest.raises(SampleError) as caught:
        MODALITY.load(listed("page_xml", tmp_path)[0], tmp_path)
    assert caught.value.code == "out_of_range"
    sized = ALTO.replace("<Page>", '<Page WIDTH="100" HEIGHT="60">').replace('WIDTH="52"', 'WIDTH="90.6"')
    (tmp_path / "page1.xml").write_text(sized)
    assert np.array_equal(MODALITY.load(listed("alto", tmp_path)[0], tmp_path), values[5:22, 10:])


@pytest.mark.parametrize(("reader", "written"), [("page_xml", "page"), ("alto", "alto")])
def test_what_transcribe_writes_is_read(tmp_path, reader, written):
    """Corrected by hand it is training material: the line ends at x = width, where the picture ends."""
    text = transcript("ab cd", name="page1", height=60.0)
    xml = WRITERS["px"][written].write(replace(text, source="/scans/page1.png", length=100.0))
    (tmp_path / "page1.xml").write_text(xml)
    values = page_image(tmp_path / "page1.png")
    (line,) = listed(reader, tmp_path)
    assert line.text == "ab cd" and np.array_equal(MODALITY.load(line, tmp_path), values)


@pytest.mark.parametrize(
    ("reader", "content", "words"),
    [
        ("page_xml", BOMB, "entities"),
        ("alto", BOMB, "entities"),
        ("alto", EXTERNAL, "entities"),
        ("page_xml", "<PcGts><Page>", "not well-formed"),
        ("page_xml", "<alto/>", "no Page"),
        ("alto", "<PcGts/>", "not ALTO"),
        ("alto", ALTO.replace("pixel", "furlong"), "measured in furlong; allowed are pixel, mm10, inch1200"),
        ("alto", ALTO.replace("pixel", "mm10"), "measured in mm10, and Page has no WIDTH and HEIGHT"),
        ("alto", ALTO.replace('HPOS="10"', ""), "HPOS of line l1"),
        ("page_xml", PAGE.replace("10,5 60,4", "10;5"), "points must be"),
        ("page_xml", PAGE.replace('index="1"', 'index="first"'), "index of a TextEquiv of line l1 must be a number"),
        ("page_xml", PAGE.replace("C:\\scans\\page1.png", ""), "does not name its picture"),
        ("page_xml", PAGE.replace("page1.png", "."), "does not name its picture"),
        ("alto", ALTO.replace("page1.png", ".."), "does not name its picture"),
        ("page_xml", PAGE.replace("</Page>", "</Page><Page/>"), "2 Page elements, PAGE XML has one"),
        ("page_xml", '<?xml version="1.0" encoding="klingon"?><a/>', "page1.xml"),
    ],
)
def test_bad_xml_is_named(tmp_path, reader, content, words):
    (tmp_path / "page1.xml").write_text(content)
    with pytest.raises(GlyphoneError, match=r"page1\.xml") as caught:
        listed(reader, tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reader", "content"),
    [
        ("page_xml", PAGE.replace('<Coords><Point x="10" y="30"/><Point x="20" y="40"/></Coords>', "{}")),
        ("alto", ALTO.replace(' HPOS="0" VPOS="30" WIDTH="10" HEIGHT="10"', ' BASELINE="0 40 10 40"')),
    ],
)
def test_lines_with_a_baseline_alone_are_rejected(tmp_path, reader, content):
    page_image(tmp_path / "page1.png")
    for outline in ("", "<Coords/>", '<Baseline points="10,40 20,40"/>', '<Coords points=""/>'):
        (tmp_path / "page1.xml").write_text(content.replace("{}", outline))
        first, second = listed(reader, tmp_path)
        assert isinstance(first, Sample) and isinstance(second, Rejection)
        assert (second.id, second.code) == ("page1.xml#l2", "no_outline")
        assert "page1.xml: line l2 has no " in second.sentence


def test_no_xml_at_all(tmp_path):
    with pytest.raises(GlyphoneError, match="no files"):
        listed("alto", tmp_path)


@pytest.mark.parametrize("files", ["", ".", "/data/*.xml", "../*.xml", "a/../../b.xml", "**.xml"])
def test_globs_that_lead_nowhere(files):
    for name in ("page_xml", "alto"):
        with pytest.raises(ValidationError, match="must be a glob below the root"):
            MODALITY.corpora[name].Settings(files=files)


def test_alto_that_names_no_picture(tmp_path):
    (tmp_path / "page1.xml").write_text(ALTO.replace("page1.png", ""))
    assert [each.path for each in listed("alto", tmp_path, image_suffix=".nrm.tif")] == ["page1.nrm.tif"] * 2
    with pytest.raises(ValidationError, match="image_suffix"):
        listed("alto", tmp_path, image_suffix="tif")


def test_hidden_files_are_no_pages(tmp_path):
    """As ._page1.xml, which macOS lays beside page1.xml on foreign disks."""
    (tmp_path / "page1.xml").write_text(PAGE)
    (tmp_path / "._page1.xml").write_bytes(b"\0\5\x16\7")
    assert len(listed("page_xml", tmp_path)) == 2


def test_svt_original_layout(tmp_path):
    (tmp_path / "test.xml").write_text(
        "<tagset><image><imageName>img/1.jpg</imageName><lex>A,B</lex><taggedRectangles>"
        '<taggedRectangle height="10" width="20" x="-2" y="3"><tag>CAFE</tag></taggedRectangle>'
        "</taggedRectangles></image></tagset>"
    )
    (word,) = listed("svt", tmp_path)
    assert (word.text, word.path, word.group, word.split) == ("CAFE", "img/1.jpg", "img/1.jpg", "test")
    assert word.box == (0, 3, 18, 13)
    with pytest.raises(GlyphoneError, match="not a folder of SVT"):
        listed("svt", tmp_path / "elsewhere")


def test_icdar(tmp_path):
    (tmp_path / "gt.txt").write_bytes('\ufeffword_1.png, "Joe\'s"\r\nword_2.png, "a, \\"b\\""\r\n'.encode())
    first, second = listed("icdar", tmp_path, split="test")
    assert (first.path, first.text, first.split) == ("word_1.png", "Joe's", "test")
    assert second.text == 'a, "b"'
    (tmp_path / "gt.txt").write_text('word_1.png, "a"\nword_2.png a\n')
    with pytest.raises(GlyphoneError, match=r"gt\.txt, line 2"):
        listed("icdar", tmp_path)
    for place in (f"{tmp_path}/gt.txt", "/data/gt.txt", "../gt.txt", ""):
        with pytest.raises(ValidationError, match="must be a path below the root"):
            MODALITY.corpora["icdar"].Settings(list=place)


@pytest.mark.parametrize(("start", "expected"), [(0, 0), (-3, 0), (-5, 0), (-6, -6), (-150, -150)])
def test_outlines_that_begin_far_outside_are_refused_and_not_cut(tmp_path, start, expected):
    page_image(tmp_path / "page1.png")
    outline = f"{start},{start} 40,{start} 40,20 {start},20"
    (tmp_path / "page1.xml").write_text(PAGE.replace("10,5 60,4 61,20 9,21", outline))
    assert listed("page_xml", tmp_path)[0].box[:2] == (expected, expected)


def test_line_pairs(tmp_path):
    for name in ("b1/0001", "b1/0002", "b2/0001", "b2/gone"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.gt.txt").write_text(f"Zeile {name}\n")
    for name in ("b1/0001.nrm.png", "b1/0001.bin.png", "b1/0002.png", "b2/0001.tif"):
        Image.new("L", (9, 9)).save(tmp_path / name)
    samples = listed("line_pairs", tmp_path)
    assert [each.path for each in samples] == ["b1/0001.nrm.png", "b1/0002.png", "b2/0001.tif", "b2/gone.png"]
    assert [each.group for each in samples] == ["b1", "b1", "b2", "b2"] and samples[0].text == "Zeile b1/0001"
    flat = listed("line_pairs", tmp_path / "b1")
    assert len({each.group for each in flat}) == 2
    assert {each.group for each in listed("line_pairs", tmp_path, group_pattern=r"/(\d|g)")} == {"0", "g"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(GlyphoneError, match=r"no transcripts \*\.gt\.txt or \*\.txt"):
        listed("line_pairs", tmp_path / "empty")


def test_line_pairs_in_a_format_that_is_not_read(tmp_path):
    """They were called missing, by a name that nobody had given them."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.gt.txt").write_text("x")
    for name in ("a.HEIC", "b.pdf", "b.nrm.png"):
        Image.new("L", (9, 9)).save(tmp_path / name, format="PNG")
    (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    samples = listed("line_pairs", tmp_path)
    assert [each.path for each in samples] == ["a.HEIC", "b.nrm.png", "c.png"]
    with pytest.raises(SampleError, match=r"a\.HEIC: not an image in one of PNG") as told:
        MODALITY.load(samples[0], tmp_path)
    assert told.value.code == "unreadable"


def test_line_pairs_with_plain_names(tmp_path):
    """name.txt is a transcript only where no name.gt.txt is: beside these it is what a program read."""
    for name in ("0001", "0002"):
        Image.new("L", (9, 9)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"line {name}\n")
    assert [(each.id, each.path, each.text) for each in listed("line_pairs", tmp_path)] == [
        ("0001", "0001.png", "line 0001"),
        ("0002", "0002.png", "line 0002"),
    ]
    (tmp_path / "0002.gt.txt").write_text("true\n")
    assert [(each.id, each.text) for each in listed("line_pairs", tmp_path)[:1]] == [("0002", "true")]


def test_page_texts_without_an_index(tmp_path):
    """They count as index 0 and stay in the order of the file."""
    (tmp_path / "page1.xml").write_text(PAGE.replace(' index="0"', ""))
    assert listed("page_xml", tmp_path)[0].text == "erſte Zeile"
    (tmp_path / "page1.xml").write_text(PAGE.replace(' index="0"', "").replace(' index="1"', ""))
    assert listed("page_xml", tmp_path)[0].text == "worse"


def test_iiit5k_matlab_layout(tmp_path):
    from scipy.io import savemat

    words = {"train": ["train/1_1.png", "train/2_1.png", "train/3_1.png"], "test": ["test/1_2.png", "test/9_1.png"]}
    for split, names in words.items():
        table = np.array([(name, "Text") for name in names], dtype=[("ImgName", object), ("GroundTruth", object)])
        savemat(tmp_path / f"{split}data.mat", {f"{split}data": table})
    samples = listed("iiit5k", tmp_path, validation_every=2)
    assert {each.group: each.split for each in samples} == {
        "train/1": "train", "train/2": "validation", "train/3": "train", "seen/1": "test", "clean/9": "test",
    }  # fmt: skip
    (tmp_path / "traindata.mat").write_bytes(b"rubbish")
    with pytest.raises(GlyphoneError, match=r"traindata\.mat: not the table"):
        listed("iiit5k", tmp_path)


def test_fraktur_splits():
    volumes = [f"v{number}" for number in range(1, 67)]
    splits = split_volumes(volumes)
    assert [volume for volume in volumes if splits[volume] == "test"] == [f"v{number}" for number in range(5, 67, 5)]
    assert [volume for volume in volumes if splits[volume] == "validation"][:2] == ["v6", "v12"]
    assert set(splits) == set(volumes)


def test_paths_that_climb_out_are_rejected(tmp_path):
    page_image(tmp_path / "outside.png")
    (tmp_path / "corpus").mkdir()
    for path in ("../outside.png", str(tmp_path / "outside.png"), "a/../../outside.png", "..\\outside.png"):
        with pytest.raises(SampleError) as caught:
            MODALITY.load(Sample("a", path, "x", "g", "train"), tmp_path / "corpus")
        assert caught.value.code == "outside_corpus"


def codes(image, text="some words"):
    return {code for code, _ in MODALITY.inspect(image, text)}


def test_inspect():
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 256, (32, 90)).astype(np.uint8)
    assert codes(fine) == set()
    assert codes(np.full((32, 90), 200, np.uint8)) == {"blank"}
    assert codes((fine // 16 + 100).astype(np.uint8)) == {"low_contrast"}
    assert codes(fine[:5]) == {"tiny"} and "tiny" in codes(fine[:1, :1])
    assert codes(fine.T) == {"rotated"}


@pytest.mark.parametrize(
    ("size", "text", "expected"),
    [
        ((8, 30), "-", set()),  # a dash is low, an I narrow, and both are large
        ((30, 8), "I", set()),
        ((90, 9), "I", set()),
        ((8, 8), ".", {"tiny"}),
        ((8, 30), "ab", {"tiny"}),
        ((30, 19), "15", set()),  # of real words: upright ones of two letters …
        ((64, 37), "of", set()),
        ((53, 34), "BAR", {"rotated"}),  # … and letters one below the other
        ((96, 61), "VEGETARIAN", {"rotated"}),  # what slices.rotate_tall turns
        ((96, 65), "VEGETARIAN", set()),  # and what it does not
        ((60, 25), "12", {"rotated"}),
    ],
)
def test_what_a_text_explains_is_not_found(size, text, expected):
    """Height and width of a picture against what stands in it."""
    image = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    assert codes(image, text) == expected


def test_preview_digest_length():
    image = np.random.default_rng(0).integers(0, 256, (200, 900)).astype(np.uint8)
    media, data = MODALITY.preview(image)
    assert media == "image/png" and data.startswith(b"\x89PNG") and (media, data) == MODALITY.preview(image)
    assert int.from_bytes(data[20:24]) == 64  # height in the PNG header
    assert int.from_bytes(MODALITY.preview(np.zeros((40, 9000), np.uint8))[1][16:20]) == 1600
    assert MODALITY.digest(image) == MODALITY.digest(image.copy()) != MODALITY.digest(image.T)
    assert MODALITY.digest(np.zeros((2, 6), np.uint8)) != MODALITY.digest(np.zeros((3, 4), np.uint8))
    assert MODALITY.length(image) == 900


@pytest.mark.parametrize(
    ("name", "folder", "number"), [("iiit5k", "iiit5k", 3500), ("svt", "svt", 647), ("fraktur", "fraktur", 3226)]
)
def test_real_corpora(shared_data, name, folder, number):
    root = shared_data / "ocr" / folder
    if not root.is_dir():
        pytest.skip(f"not there: {root}")
    samples = listed(name, root)
    assert len(samples) == len({each.id for each in samples}) == number
    groups = {split: {each.group for each in samples if each.split == split} for split in SPLITS}
    assert not (groups["train"] & groups["test"] or groups["validation"] & (groups["train"] | groups["test"]))
    for each in samples[:: number // 20]:
        assert MODALITY.slices(MODALITY.load(each, root), MODALITY.SliceSettings()).shape[1] == 32


def test_iiit5k_clean_subset_is_the_marked_one(shared_data):
    root = shared_data / "ocr" / "iiit5k"
    if not root.is_dir():
        pytest.skip(f"not there: {root}")
    from common.tables import read_table

    marked = {row["path"] for row in read_table(root / "test.tsv") if row["source_in_train"] == "0"}
    samples = iiit5k.READER.read(iiit5k.Iiit5kSettings(), root, 1)
    assert {each.path for each in samples if each.group.startswith("clean/")} == marked
