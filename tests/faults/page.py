#!/usr/bin/python3
"""Holds docs/faults.md against the tests, and prints it as a table of what is played: `page.py TOP`.

Every fault of the programme has one row; each row names tests that are there, `CTest` what CTest runs by that name. A row
that says *open* says what is missing, and is printed.
"""
import pathlib
import re
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "lint")]

from security_page import NAMED, complaints, sources, untested

PLANNED = [*range(1, 7), *range(8, 11), *range(13, 22), *range(24, 30), *range(32, 39), 47, 49]
HEAD = r"^\| (fault|as|\*\w+\*|---) \|"
RUN = "CTest"


def runs(top):
    """What CTest calls its tests, as far as a list says it."""
    lists = "\n".join(path.read_text() for path in top.glob("tests/*/CMakeLists.txt"))
    museum = re.search(r"set\(museum ([^)]*)\)", lists)
    return {*re.findall(r"add_test\(NAME (\w+)", lists), *re.findall(r"\bkw_test\((\w+)", lists),
            *("sim_museum_" + bug for bug in (museum[1].split()[::2] if museum else ()))}


def rows(page):
    """Number of the fault, its name, how it is played, and its tests by file."""
    for line in page.splitlines():
        match = re.match(r"\| F(\d+) ([^|]*) \| ([^|]*) \|", line)
        if match:
            yield int(match[1]), match[2], match[3], [(file, re.findall(r"\w+", names)) for file, names in NAMED.findall(line)]


def found(page, files, ctest):
    """All that is wrong with the page."""
    numbers = [number for number, *_ in rows(page)]
    yield from ("F%d has no row" % number for number in PLANNED if number not in numbers)
    yield from ("F%d has %d rows" % (number, numbers.count(number)) for number in set(numbers) if numbers.count(number) > 1)
    yield from complaints(re.sub(r"`%s`:\s+(`\w+`,?\s*)+;?" % RUN, "", page), files)
    yield from untested(page.splitlines(), HEAD)
    for number, _, _, tests in rows(page):
        for file, names in tests:
            yield from ("F%d: CTest runs no %s" % (number, name) for name in names if file == RUN and name not in ctest)


def main():
    top = pathlib.Path(sys.argv[1])
    page = (top / "docs/faults.md").read_text()
    wrong = list(found(page, sources(top), runs(top)))
    for number, name, played, tests in rows(page):
        print("F%-3d %-55s %2d tests  %s" % (number, name, sum(len(names) for _, names in tests),
                                            "".join(re.findall(r"open: [^;.]*", played))))
    print("\n".join("docs/faults.md: " + what for what in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
