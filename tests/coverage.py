#!/usr/bin/python3
"""From gcov's text (standard input) to a table and a verdict: coverage.py ALLOWED [--branches]

Lines: executed at all, by folder. Error branches: places that say KW_TRY, KW_ENSURE or KW_FAIL. In the coverage build
the failing side of each is a call, and it is the last call of its line, so gcov's `call` rows tell whether it ran.

ALLOWED holds what can't be reached, and why: a line `FILE COUNT WHY` for each file. More than COUNT fails; fewer asks
for the line to be lowered. It may only shrink.
"""
import collections
import re
import sys

LINES_MIN = 90.0
BRANCHES_OF = ("services/authz", "services/orchestrator", "services/cryptocore")
ERROR = re.compile(r"\bKW_(TRY|ENSURE|FAIL|FAILPOINT|MAKE)\(")
SOURCE = re.compile(r"\s*-:\s*0:Source:(.*)")
LINE = re.compile(r"\s*([^:]+):\s*(\d+):(.*)")
CALL = re.compile(r"call\s+\d+ (never executed|returned (\d+))")


class File:
    """One source file, over all objects that contain it."""

    def __init__(self):
        self.lines = collections.Counter()  # line -> times
        self.failing = collections.Counter()  # line of an error branch -> times that its failing side ran

    def missed(self):
        return sorted(line for line, times in self.failing.items() if times == 0)


def read(text):
    """gcov's report as {path: File}. A line's calls come after it: the last one counts."""
    files = collections.defaultdict(File)
    file, number, last = None, 0, None

    def end_line():
        if file is not None and last is not None:
            file.failing[number] += last

    for row in text:
        if source := SOURCE.match(row):
            end_line()
            name = source.group(1).strip()
            file, last = (files[name] if name.startswith(("common/", "services/")) else None), None
        elif line := LINE.match(row):
            end_line()
            count, number, last = line.group(1).strip().rstrip("*"), int(line.group(2)), None
            is_error = ERROR.search(line.group(3)) and not line.group(3).startswith("#define")
            if file is not None and count != "-":
                file.lines[number] += 0 if count in ("#####", "=====") else int(count)
                if is_error:
                    last = 0
        elif last is not None and (call := CALL.match(row)):
            last = int(call.group(2) or 0)
    end_line()
    return files


def folder_of(path):
    return path.rsplit("/", 1)[0]


def part_of(path):
    """What has a bar of its own: common, or a service."""
    return "common" if path.startswith("common/") else "/".join(path.split("/")[:2])


def lines_table(files):
    """Prints lines by folder and by part; returns what is below the bar."""
    total = collections.defaultdict(lambda: [0, 0])
    for path, file in files.items():
        for key in {folder_of(path), part_of(path) + " (all)"}:
            total[key][0] += sum(times > 0 for times in file.lines.values())
            total[key][1] += len(file.lines)
    print(f"{'folder':<34}{'lines':>8}{'executed':>10}{'%':>8}")
    low = []
    for key in sorted(total):
        executed, lines = total[key]
        percent = 100.0 * executed / lines
        print(f"{key:<34}{lines:>8}{executed:>10}{percent:>8.1f}")
        if key.endswith("(all)") and percent < LINES_MIN:
            low.append(f"{key[:-6]}: {percent:.1f} % of lines executed, {LINES_MIN} is the bar")
    return low


def read_allowed(path):
    allowed = {}
    with open(path, encoding="utf-8") as text:
        for row in text:
            if row.strip() and not row.startswith("#"):
                file, count, _why = row.split(maxsplit=2)
                allowed[file] = int(count)
    return allowed


def branches_table(files, allowed, every):
    """Prints error branches by part; returns files with more that never ran than are allowed."""
    bad = []
    print(f"\n{'error branches':<34}{'all':>8}{'executed':>10}{'allowed':>9}")
    for part in BRANCHES_OF:
        mine = {path: file for path, file in files.items() if part_of(path) == part}
        count = sum(len(file.failing) for file in mine.values())
        missed = sum(len(file.missed()) for file in mine.values())
        room = sum(number for path, number in allowed.items() if part_of(path) == part)
        print(f"{part:<34}{count:>8}{count - missed:>10}{room:>9}")
        for path in sorted(mine):
            never = mine[path].missed()
            if every:
                for line in never:
                    print(f"{path}:{line}: its failing side never ran")
            if len(never) > allowed.get(path, 0):
                bad.append(f"{path}: {len(never)} error branches never ran, {allowed.get(path, 0)} may: lines "
                           + " ".join(map(str, never)))
    for path, number in allowed.items():
        if path not in files:
            bad.append(f"{path}: allowed, but there is no such file")
        elif len(files[path].missed()) < number:
            print(f"{path}: {len(files[path].missed())} never ran: lower the {number} in the list of what is allowed")
    return bad


def main():
    files = read(sys.stdin)
    if not files:
        sys.exit("coverage: no counters found")
    bad = lines_table(files) + branches_table(files, read_allowed(sys.argv[1]), "--branches" in sys.argv)
    print()
    for word in bad:
        print(f"coverage: {word}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
