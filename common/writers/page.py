"""PAGE XML of 2019-07-15 (PRImA): a Word a word, a Glyph a character, with confidences, and the n-best list."""

from xml.etree.ElementTree import Element, SubElement

from common.writers.boxes import ANGLES, size, word_boxes
from common.writers.transcript import Transcript, is_right_to_left, printable
from common.writers.tree import document

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
# The schema asks for times; equal pictures are to give equal files, so they say nothing.
NO_TIME = "1970-01-01T00:00:00Z"


def write(transcript: Transcript) -> str:
    """One region with one line; its TextEquiv are the text (index 0, where there are others) and the alternatives."""
    width, height = size(transcript)
    hypothesis = transcript.hypothesis
    root = Element("PcGts", {"xmlns": NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    root.set("xsi:schemaLocation", f"{NAMESPACE} {NAMESPACE}/pagecontent.xsd")
    about = SubElement(root, "Metadata")
    SubElement(about, "Creator").text = "Glyphone"
    SubElement(about, "Created").text = NO_TIME
    SubElement(about, "LastChange").text = NO_TIME
    page = SubElement(root, "Page", imageFilename=printable(transcript.source))
    page.attrib.update(imageWidth=str(width), imageHeight=str(height))
    region = SubElement(page, "TextRegion", id="region")
    if transcript.turned:
        # The angle that sets it right, clockwise, from -180 to 180.
        region.set("orientation", str((ANGLES[transcript.turned] + 180) % 360 - 180))
    whole = (0, 0, width, height)
    _outline(region, *whole)
    line = SubElement(region, "TextLine", id="line")
    if is_right_to_left(hypothesis.text):
        line.set("readingDirection", "right-to-left")
    _outline(line, *whole)
    for number, box in enumerate(word_boxes(transcript), 1):
        word = SubElement(line, "Word", id=f"word_{number}")
        _outline(word, box.left, box.top, box.right, box.bottom)
        for place, character in enumerate(box.characters, 1):
            glyph = SubElement(word, "Glyph", id=f"word_{number}_{place}")
            _outline(glyph, character.left, character.top, character.right, character.bottom)
            _text(glyph, character.text, character.confidence)
        _text(word, box.text, box.confidence)
    best = _text(line, hypothesis.text, hypothesis.confidence)
    for index, (text, _) in enumerate(hypothesis.alternatives, 1):
        best.set("index", "0")
        _text(line, text).set("index", str(index))
    return document(root)


def _outline(element: Element, left: int, top: int, right: int, bottom: int) -> None:
    SubElement(element, "Coords", points=f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}")


def _text(element: Element, text: str, confidence: float | None = None) -> Element:
    equivalent = SubElement(element, "TextEquiv")
    if confidence is not None:
        equivalent.set("conf", f"{confidence:.4f}")
    SubElement(equivalent, "Unicode").text = printable(text)
    return equivalent
