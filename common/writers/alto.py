"""ALTO 4 (Library of Congress): a String a word, a Glyph a character, with confidences."""

from xml.etree.ElementTree import Element, SubElement

from common.writers.boxes import ANGLES, Box, size, word_boxes
from common.writers.transcript import Transcript, is_right_to_left, printable
from common.writers.tree import document

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"


def write(transcript: Transcript) -> str:
    """One page with one block of one line; without words the block is empty, since a line must hold a String."""
    width, height = size(transcript)
    root = Element("alto", {"xmlns": NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    root.set("xsi:schemaLocation", f"{NAMESPACE} {SCHEMA}")
    about = SubElement(root, "Description")
    SubElement(about, "MeasurementUnit").text = "pixel"
    image = SubElement(about, "sourceImageInformation")
    SubElement(image, "fileName").text = printable(transcript.source)
    processing = SubElement(about, "Processing", ID="recognition")
    SubElement(processing, "processingCategory").text = "contentGeneration"
    SubElement(SubElement(processing, "processingSoftware"), "softwareName").text = "Glyphone"
    whole = {"HPOS": "0", "VPOS": "0", "WIDTH": str(width), "HEIGHT": str(height)}
    page = SubElement(
        SubElement(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR="1", WIDTH=str(width), HEIGHT=str(height)
    )
    block = SubElement(SubElement(page, "PrintSpace", whole), "TextBlock", {"ID": "block", **whole})
    if transcript.turned:
        block.set("ROTATION", str(ANGLES[transcript.turned]))
    words = word_boxes(transcript)
    if words:
        line = SubElement(block, "TextLine", {"ID": "line", **whole})
        if is_right_to_left(transcript.hypothesis.text):
            line.set("BASEDIRECTION", "rtl")
        for number, word in enumerate(words, 1):
            if number > 1:
                SubElement(line, "SP", _gap(words[number - 2], word, bool(transcript.turned)))
            name = f"word_{number}"
            string = SubElement(line, "String", {"ID": name, "CONTENT": word.text, "WC": f"{word.confidence:.4f}"})
            string.attrib.update(_place(word.left, word.top, word.right, word.bottom))
            for place, character in enumerate(word.characters, 1):
                string.append(_glyph(f"{name}_{place}", character))
    return document(root)


def _gap(one: Box, other: Box, is_turned: bool) -> dict[str, str]:
    """What is free between two words."""
    if is_turned:
        upper, lower = sorted((one, other), key=lambda each: each.top)
        return _place(one.left, upper.bottom, one.right, lower.top)
    former, latter = sorted((one, other), key=lambda each: each.left)
    return _place(former.right, one.top, latter.left, one.bottom)


def _glyph(name: str, box: Box) -> Element:
    content = {"ID": name, "CONTENT": box.text, "GC": f"{box.confidence:.4f}"}
    return Element("Glyph", {**content, **_place(box.left, box.top, box.right, box.bottom)})


def _place(left: int, top: int, right: int, bottom: int) -> dict[str, str]:
    size = {"WIDTH": str(max(0, right - left)), "HEIGHT": str(max(0, bottom - top))}
    return {"HPOS": str(left), "VPOS": str(top), **size}
