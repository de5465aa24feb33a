"""screenshots - pictures of the status page and of a terminal. Called by scripts/screenshots:

    screenshots.py URL TERMINAL-OUTPUT DIRECTORY
"""
import html
import os
import re
import sys
import urllib.parse

from browser import Browser

COLOURS = {"31": "#f2777a", "32": "#99cc99", "33": "#e0b050", "36": "#66cccc", "2": "#8a8f98"}
STYLE = ("body{margin:0;background:#16191d;color:#d8dbe0;font:14px/1.45 'DejaVu Sans Mono',monospace}"
         "pre{margin:0;padding:16px 20px;display:inline-block}b{color:#fff}")


def to_html(text):
    """What a terminal shows of it: colours and bold."""
    out, opened = [], 0
    for piece in re.split(r"(\x1b\[[0-9;]*m)", text.replace("\r", "")):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if not match:
            out.append(html.escape(piece))
            continue
        out.append("</span>" * opened)
        opened = 0
        codes = match.group(1).split(";")
        style = "".join("color:%s;" % COLOURS[code] for code in codes if code in COLOURS)
        style += "font-weight:bold;" if "1" in codes else ""
        if style:
            out.append('<span style="%s">' % style)
            opened = 1
    return "<!doctype html><meta charset=utf-8><style>%s</style><pre>%s</pre>" % (STYLE, "".join(out).rstrip())


def main():
    url, terminal, directory = sys.argv[1:]
    browser = Browser()
    try:
        browser.size(1000, 830)
        browser.go(url + "/")
        browser.wait("document.readyState === 'complete' && !document.getElementById('content').hidden")
        browser.screenshot(os.path.join(directory, "status-page.png"))
        with open(terminal, encoding="utf-8") as text:
            page = to_html(text.read())
        browser.go("data:text/html;charset=utf-8," + urllib.parse.quote(page))
        browser.wait("document.querySelector('pre')")
        width, height = browser.evaluate("(r => [Math.ceil(r.width), Math.ceil(r.height)])"
                                         "(document.querySelector('pre').getBoundingClientRect())")
        browser.size(width, height)
        browser.screenshot(os.path.join(directory, "terminal.png"))
    finally:
        browser.close()


main()
