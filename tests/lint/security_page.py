#!/usr/bin/python3
"""Holds docs/security.md and docs/security-rows.md against the tests: `file`: `test`, `test` … must be a file below tests/ that
a CMakeLists names, with tests of these names. No line of the compromise table, and no row of security-rows.md, is without
one unless it says "–", or "see", and why.

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
            for pattern in ("tests/*/*.c", "tests/*/*.py", "tests/*/*.sh") for path in top.glob(pattern)}


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
            if not re.search(r"\bTest\(\w+,\s*%s[,)]|\bdef %s\(|'ok \d+ - \w+::%s'" % (name, name, name), text):
                yield "%s has no test %s" % (path.name, name)


def untested(lines, excuse):
    """Rows of a table, without its head, that name no test and have no excuse."""
    for line in lines:
        if line.startswith("|") and not NAMED.search(line) and not re.search(excuse, line):
            yield "no test: %s" % line[:60]


def main():
    top = pathlib.Path(sys.argv[1])
    files = sources(top)
    page = (top / "docs/security.md").read_text()
    rows = (top / "docs/security-rows.md").read_text()
    found = ["docs/security.md: " + what for what in [
        *complaints(page, files),
        *untested(page.split("## What a compromise yields")[1].split("\n## ")[0].splitlines()[3:], r"\| – \(")]]
    found += ["docs/security-rows.md: " + what for what in [
        *complaints(rows, files), *untested(rows.splitlines(), r"^\| (row|what is tested|---) \||\bsee\b")]]
    print("\n".join(found) or "%d tests named" % sum(
        len(re.findall(r"`\w+`", names)) for _, names in NAMED.findall(page + rows)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
