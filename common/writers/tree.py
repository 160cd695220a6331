"""An XML tree as a file's text."""

from xml.etree.ElementTree import Element, indent, tostring

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def document(root: Element, doctype: str = "", inline: bool = False) -> str:
    """Declaration, doctype and tree, indented unless blanks between elements are text (``inline``)."""
    if not inline:
        indent(root)
    return f"{DECLARATION}{doctype}{tostring(root, encoding='unicode')}\n"
