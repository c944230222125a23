#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What test-library-pages.sh compares in text: headers, and the SYNOPSIS and EXAMPLE of the pages.

    library-pages.py declarations HEADER    each function's name, a tab, its declaration in one spelling;
                                            fails if one has no contract above it
    library-pages.py synopsis PAGE          the same of a page's SYNOPSIS
    library-pages.py example PAGE           the C of its EXAMPLE
"""
import re
import sys


def spelling(text):
    """One blank between words, none around punctuation."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" ?([(),*;\[\]]) ?", r"\1", text)


def functions(code):
    """Name and declaration of each function prototype in C without comments."""
    code = re.sub(r"^\s*#.*$", "", code, flags=re.M)
    code = re.sub(r'extern "C" \{', "", code)
    code = re.sub(r"\b(enum|struct)( \w+)? \{[^}]*\}", "", code)
    for declaration in code.split(";"):
        match = re.match(r"\s*(?!typedef)[\w *]+?\b(framekey_\w+)\(", declaration)
        if match:
            yield match.group(1), spelling(declaration)


def declarations(path):
    """A contract is the comment above; it serves all declarations down to the next empty line."""
    text = open(path, encoding="utf-8").read()
    bare = set()
    for paragraph in text.split("\n\n"):
        comment = paragraph.find("/**")
        start = paragraph[:comment] if comment >= 0 else paragraph
        bare.update(name for name, _ in functions(re.sub(r"/\*.*?\*/", "", start, flags=re.S)))
    for name, declaration in functions(re.sub(r"/\*.*?\*/", "", text, flags=re.S)):
        if name in bare:
            sys.exit(f"{path}: there is no comment above {name}()")
        print(f"{name}\t{declaration}")


def block(path, section):
    """The literal text of a section of a page."""
    text = open(path, encoding="utf-8").read()
    part = re.search(rf"^# {section}\n(.*?)(?=^# |\Z)", text, flags=re.S | re.M)
    return "\n".join(re.findall(r"^```\n(.*?)^```$", part.group(1), flags=re.S | re.M)) if part else ""


def main():
    what, path = sys.argv[1:]
    if what == "declarations":
        declarations(path)
    elif what == "synopsis":
        for name, declaration in functions(block(path, "SYNOPSIS")):
            print(f"{name}\t{declaration}")
    elif what == "example":
        print(block(path, "EXAMPLE"))
    else:
        sys.exit(f"there is no {what}")


main()
