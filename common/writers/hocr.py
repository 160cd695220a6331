"""hOCR 1.2: XHTML with a word and its characters in boxes; x_wconf and x_confs are confidences in percent."""

from xml.etree.ElementTree import Element, SubElement

from common.writers.boxes import ANGLES, Box, size, word_boxes
from common.writers.transcript import Transcript, is_right_to_left, printable
from common.writers.tree import document

DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
)


def write(transcript: Transcript) -> str:
    """One page with one line; blanks between words are text, so that a browser shows the line as it reads."""
    width, height = size(transcript)
    root = Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = SubElement(root, "head")
    SubElement(head, "title").text = printable(transcript.source)
    SubElement(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    SubElement(head, "meta", {"name": "ocr-system", "content": "Glyphone"})
    SubElement(head, "meta", {"name": "ocr-capabilities", "content": "ocr_page ocr_line ocrx_word ocrx_cinfo ocrp_dir"})
    whole = f"bbox 0 0 {width} {height}"
    page = SubElement(SubElement(root, "body"), "div", {"class": "ocr_page", "id": "page_1"})
    page.set("title", f"image {_quoted(printable(transcript.source))}; {whole}; ppageno 0")
    angle = f"; textangle {ANGLES[transcript.turned]}" if transcript.turned else ""
    line = SubElement(page, "span", {"class": "ocr_line", "id": "line_1", "title": whole + angle})
    if is_right_to_left(transcript.hypothesis.text):
        line.set("dir", "rtl")
    words = word_boxes(transcript)
    for number, box in enumerate(words, 1):
        word = SubElement(line, "span", {"class": "ocrx_word", "id": f"word_1_{number}"})
        word.set("title", f"{_bbox(box)}; x_wconf {round(100 * box.confidence)}")
        for character in box.characters:
            title = f"{_bbox(character)}; x_confs {100 * character.confidence:.2f}"
            SubElement(word, "span", {"class": "ocrx_cinfo", "title": title}).text = character.text
        word.tail = " " if number < len(words) else None
    return document(root, DOCTYPE, inline=True)


def _bbox(box: Box) -> str:
    return f"bbox {box.left} {box.top} {box.right} {box.bottom}"


def _quoted(text: str) -> str:
    """A delimited string of hOCR's property grammar, which has no escapes: quotes within become apostrophes."""
    return '"' + text.replace('"', "'") + '"'
