"""XML elements in a line each.

Belongs here: making and writing elements. Does not belong here: what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

Element = ET.Element


def element(
    tag: str,
    attributes: Mapping[str, object] | None = None,
    children: Iterable[Element | None] = (),
    text: str | None = None,
) -> Element:
    """An element.

    Args:
        tag: Its name with prefix; the root declares the prefixes.
        attributes: Those that are None are left out.
        children: Those that are None are left out.
        text: Its text.
    """
    given = {name: str(value) for name, value in (attributes or {}).items() if value is not None}
    made = Element(tag, given)
    made.text = text
    made.extend([child for child in children if child is not None])
    return made


def described(text: str, tag: str = "Description") -> Element:
    """A text in ODM's wrapping."""
    return element(tag, children=[element("TranslatedText", {"xml:lang": "en"}, text=text)])


def document(root: Element) -> bytes:
    """The file, one element a line."""
    ET.indent(root, space=" ")
    return ET.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"
