"""ALTO 4 (Library of Congress): a String a word, a Glyph a character, with confidences."""

from xml.etree.ElementTree import Element, SubElement

from common.writers.boxes import Box, size, word_boxes
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
    words = word_boxes(transcript)
    if words:
        line = SubElement(block, "TextLine", {"ID": "line", **whole})
        if is_right_to_left(transcript.hypothesis.text):
            line.set("BASEDIRECTION", "rtl")
        for number, word in enumerate(words, 1):
            if number > 1:
                one, other = sorted((words[number - 2], word), key=lambda each: each.left)
                gap = (one.right, other.left)
                SubElement(line, "SP", _place(*gap, height))
            name = f"word_{number}"
            string = SubElement(line, "String", {"ID": name, "CONTENT": word.text, "WC": f"{word.confidence:.4f}"})
            string.attrib.update(_place(word.left, word.right, height))
            for place, character in enumerate(word.characters, 1):
                string.append(_glyph(f"{name}_{place}", character, height))
    return document(root)


def _glyph(name: str, box: Box, height: int) -> Element:
    content = {"ID": name, "CONTENT": box.text, "GC": f"{box.confidence:.4f}"}
    return Element("Glyph", {**content, **_place(box.left, box.right, height)})


def _place(left: int, right: int, height: int) -> dict[str, str]:
    return {"HPOS": str(left), "VPOS": "0", "WIDTH": str(max(0, right - left)), "HEIGHT": str(height)}
