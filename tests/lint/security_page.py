#!/usr/bin/python3
"""Holds docs/security.md against the tests: `file`: `test`, `test` … must be a file below tests/ that a CMakeLists names,
with tests of these names, and no line of the compromise table is without one unless it says "–" and why.

    security_page.py TOP
"""
import pathlib
import re
import sys

NAMED = re.compile(r"`(\w+)`:\s+((?:`\w+`(?:,\s+)?)+)")


def sources(top):
    """Test files by stem: the path, and what the lists of tests say of it."""
    lists = "\n".join(path.read_text() for path in top.glob("tests/*/CMakeLists.txt"))
    return {path.stem: (path, re.search(r"\b%s\b" % path.stem, lists) is not None)
            for pattern in ("tests/*/*.c", "tests/*/*.py") for path in top.glob(pattern)}


def complaints(page, files):
    for file, names in NAMED.findall(page):
        path, runs = files.get(file, (None, False))
        if path is None:
            yield "no file tests/*/%s.*" % file
            continue
        if not runs:
            yield "%s is in no CMakeLists.txt" % path.name
        text = path.read_text()
        for name in re.findall(r"\w+", names):
            if not re.search(r"\bTest\(\w+,\s*%s[,)]|\bdef %s\(" % (name, name), text):
                yield "%s has no test %s" % (path.name, name)
    table = page.split("## What a compromise yields")[1].split("\n## ")[0]
    for line in table.splitlines()[3:]:
        if line.startswith("|") and not NAMED.search(line) and "| – (" not in line:
            yield "no test: %s" % line[:60]


def main():
    top = pathlib.Path(sys.argv[1])
    page = (top / "docs/security.md").read_text()
    found = list(complaints(page, sources(top)))
    print("\n".join("docs/security.md: " + what for what in found) or
          "%d tests named" % sum(len(re.findall(r"`\w+`", names)) for _, names in NAMED.findall(page)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
