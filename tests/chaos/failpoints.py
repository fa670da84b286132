#!/usr/bin/python3
"""Every failpoint as an error and as an abort, under load: `failpoints.py BUILD/bin/keyward [NAME…]`.

Each gets a mesh of its own. `keyward up` arms it for the first life of each process; what dies must come back and
nothing may be lost. One that is not passed often enough to fire is tried again at its first passing; one that does not
fire then either is a failure. Names are those of common/base/failpoint.def, or the ones given.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

CHAOS = pathlib.Path(__file__).with_name("chaos.py")
TABLE = pathlib.Path(__file__).resolve().parents[2] / "common" / "base" / "failpoint.def"
AT_START = "at start"  # so the table describes what is passed once, before anybody calls
PASSING = 150  # the n-th passing fires, so that there is something to lose
FEW = 15  # for what is passed less often
SECONDS, IN_FLIGHT = 3, 16
DUE = "renewal.due"  # as an error it makes no noise: certificates are renewed
ONCE = (DUE, "credentials.before_swap", "credentials.after_swap")  # passed once in such a run
WITH = {"credentials.before_swap": [DUE + "=error"], "credentials.after_swap": [DUE + "=error"]}


def names():
    """Name → whether it is passed at the start only."""
    rows = re.findall(r'^KW_FAILPOINT_ROW\(\w+, "([\w.]+)", "[^"]*",\s*"([^"]*)"', TABLE.read_text(),
                      re.M)
    return {name: passed.startswith(AT_START) for name, passed in rows}


def fired(name, action, logs):
    text = "".join(log.read_text(errors="replace") for log in logs.glob("*.log"))
    return ("failpoint %s: abort" if action == "abort" else "failpoint %s") % name in text or \
        (name, action) == (DUE, "error")


def run(binary, name, action, passings):
    """True: it fired and nothing was found. Each run is a process of its own, as it makes itself nice."""
    for passing in passings:
        failpoints = ",".join(["%s=%s:%d" % (name, action, passing), *WITH.get(name, ())])
        print("== %s" % failpoints, flush=True)
        with tempfile.TemporaryDirectory(prefix="keyward-chaos-") as directory:
            ended = subprocess.run([sys.executable, CHAOS, binary, "--failpoints=" + failpoints, "--keep=" + directory,
                                    "--seconds=%d" % SECONDS, "--kills=0", "--in-flight=%d" % IN_FLIGHT])
            if ended.returncode != 0:
                return False
            if fired(name, action, pathlib.Path(directory, "logs")):
                return True
    print("FOUND  %s=%s did not fire" % (name, action))
    return False


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
            if not run(options.binary, name, action, (1,) if known[name] or name in ONCE else (PASSING, FEW, 1)):
                failed.append("%s=%s" % (name, action))
    print("%d failpoints, failed: %s" % (len(known), " ".join(failed) or "none"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
