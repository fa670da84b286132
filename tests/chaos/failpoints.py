#!/usr/bin/python3
"""Every failpoint as an error and as an abort, under load: `failpoints.py BUILD/bin/keyward [NAME…]`.

Each gets a mesh of its own. `keyward up` arms it for the first life of each process; what dies must come back and
nothing may be lost. Names are those of common/base/failpoint.def, or the ones given.
"""
import argparse
import pathlib
import re
import sys

import chaos

TABLE = pathlib.Path(__file__).resolve().parents[2] / "common" / "base" / "failpoint.def"
AT_START = "at start"  # so the table describes what is passed once, before anybody calls
PASSING = 20  # the n-th passing fires, so that there is something to lose
SECONDS, IN_FLIGHT = 3, 16


def names():
    """Name → whether it is passed at the start only."""
    rows = re.findall(r'KW_FAILPOINT_ROW\(\w+, "([\w.]+)", "[^"]*",\s*"([^"]*)"', TABLE.read_text())
    return {name: passed.startswith(AT_START) for name, passed in rows}


def run(binary, name, action, passing):
    failpoint = "%s=%s:%d" % (name, action, passing)
    print("== %s" % failpoint, flush=True)
    return chaos.Run(chaos.options_of([str(binary), "--seconds=%d" % SECONDS, "--kills=0", "--failpoints=" + failpoint,
                                       "--in-flight=%d" % IN_FLIGHT])).go()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    known, failed = names(), []
    for name in options.names or known:
        for action in ("abort", "error"):
            if known[name] and action == "error":
                continue  # a process that refuses to start is not started again
            if run(options.binary, name, action, 1 if known[name] else PASSING) != 0:
                failed.append("%s=%s" % (name, action))
    print("%d failpoints, failed: %s" % (len(known), " ".join(failed) or "none"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
