#!/usr/bin/env python3
"""Takes figures out of a report, each a file of its own.

    tools/figures.py runs/mine/report.html                                  lists their titles
    tools/figures.py runs/mine/report.html OUT.svg "Accuracy and noise"     writes the one with this title
"""
import html
import pathlib
import re
import sys


def figures(report):
    text = pathlib.Path(report).read_text(encoding="utf-8")
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        title = re.search(r"<title[^>]*>(.*?)</title>", svg, re.S)
        if title:
            yield html.unescape(title.group(1)), svg


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    found = list(figures(sys.argv[1]))
    if len(sys.argv) == 2:
        print("\n".join(title for title, _ in found))
        return
    for title, svg in found:
        if title == sys.argv[3]:
            if "xmlns=" not in svg.split(">", 1)[0]:
                svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
            pathlib.Path(sys.argv[2]).write_text(svg + "\n", encoding="utf-8")
            return
    sys.exit(f"{sys.argv[1]} has no figure '{sys.argv[3]}'. It has: {', '.join(title for title, _ in found)}")


if __name__ == "__main__":
    main()
