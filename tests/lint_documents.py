#!/usr/bin/env python3
"""lint_documents.py - links between documents lead somewhere, and the Russian ones keep in step.

usage: tests/lint_documents.py

Checks every Markdown file of the repository: a relative link names a file that is there, an anchor a
heading of it; a document in docs/ that a source file or script names is there; a document
that exists in Russian has as many headings there, on the same levels; what the platform's keys are
read from, AWS_..., is in the settings' document and the manual page. One line for each finding,
exit 1 if there is one.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAIRS = [("README.md", "README.ru.md")] + [
    (f"docs/{name}", f"docs/ru/{name}") for name in ("operations.md", "image.md", "migration.md", "settings.md")]
findings = []


def sources():
    return [path for path in sorted(ROOT.rglob("*"))
            if path.is_file() and path.relative_to(ROOT).parts[0] not in ("build", ".git")]


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def headings(path):
    return re.findall(r"^(#{1,6}) +(.+?) *$", without_code(path.read_text()), flags=re.M)


def slug(heading):
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    seen, names = {}, set()
    for _, heading in headings(path):
        name = slug(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names | set(re.findall(r'<a (?:id|name)="([^"]+)"', path.read_text()))


def check_links(path):
    text = re.sub(r"`[^`\n]*`", "", without_code(path.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            findings.append(f"{path.relative_to(ROOT)}: there is no {target}")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            findings.append(f"{path.relative_to(ROOT)}: no heading answers to {target}")


def check_names(path):
    """What a comment, a message or a script calls a document."""
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    for name in set(re.findall(r"(?<![\w/.-])docs/[\w./-]+?\.md\b", text)):
        if not (ROOT / name).exists():
            findings.append(f"{path.relative_to(ROOT)}: there is no {name}")


def check_pair(english, russian):
    levels = [[len(level) for level, _ in headings(ROOT / name)] for name in (english, russian)]
    if levels[0] != levels[1]:
        findings.append(f"{russian}: its headings are not those of {english}: levels {levels[1]}, not {levels[0]}")


def check_platform_variables():
    read = set(re.findall(r'"(AWS_[A-Z0-9_]+)"', (ROOT / "finalize/s3/credentials_platform.c").read_text()))
    read |= {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}  # made of two literals there
    for name in ("docs/settings.md", "finalize/command/jibri-finalize.1.in"):
        for variable in read ^ set(re.findall(r"AWS_[A-Z0-9_]+", (ROOT / name).read_text())):
            findings.append(f"{name}: {variable} is there, or in finalize/s3/credentials_platform.c, but not in both")


def check_options():
    manual = "finalize/command/jibri-finalize.1.in"
    table = (ROOT / "finalize/command/command_table.def").read_text()
    known = set(re.findall(r'^ *\{"([a-z-]+)", ', table, flags=re.M)) | {"config", "help", "version"}
    named = set(re.findall(r"(?:Fl|\|) \\-([a-z\\-]+)", (ROOT / manual).read_text()))
    for option in known ^ {name.replace("\\-", "-") for name in named}:
        findings.append(f"{manual}: --{option} is there, or in command_table.def, but not in both")


def main():
    files = sources()
    for path in files:
        if path.suffix == ".md":
            check_links(path)
        check_names(path)
    check_platform_variables()
    check_options()
    for english, russian in PAIRS:
        check_pair(english, russian)
    for line in findings:
        print(line)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
