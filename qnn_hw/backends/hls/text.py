# SPDX-License-Identifier: Apache-2.0
"""Line breaks of the printed C++, as clang-format with `hls_templates/.clang-format` would set them; comments."""

LINE_LENGTH = 120
BREAK_INDENT = 4


def call(head: str, items: list[str], tail: str, indent: int = 0) -> list[str]:
    """Return `head` + items separated by commas + `tail`, broken into lines as clang-format does.

    `head` ends with the opening bracket; continued lines begin below the first item, or 4 further right than the
    statement where an item would not fit there.
    """
    start = " " * indent + head
    for column in (len(start), indent + BREAK_INDENT):
        first = start if column == len(start) else " " * column
        lines = _fill(first, items, tail, " " * column)
        if max(map(len, lines)) <= LINE_LENGTH:
            break
    return lines if first == start else [start, *lines]


def _fill(first: str, items: list[str], tail: str, margin: str) -> list[str]:
    lines = [first]
    for i, item in enumerate(items):
        piece = item + ("," if i + 1 < len(items) else tail)
        space = "" if lines[-1] in (first, margin) else " "
        if space and len(lines[-1]) + 1 + len(piece) > LINE_LENGTH:
            lines.append(margin)
            space = ""
        lines[-1] += space + piece
    return lines


def comment(text: str, indent: int = 0) -> list[str]:
    """Return `text` as `//` lines."""
    margin = " " * indent + "//"
    lines = [margin]
    for word in text.split():
        if lines[-1] != margin and len(lines[-1]) + 1 + len(word) > LINE_LENGTH:
            lines.append(margin)
        lines[-1] += " " + word
    return lines
