#!/usr/bin/python3
"""What one GetDeviceAccess asks of the HSM, called raw: the PKCS#11 calls alone ("list"), and the whole
operation as a worker of the crypto core runs it ("worker"), by one process and by as many as the core
has workers. On a temporary SoftHSM token. `hsm_bench.py BUILD [--quick]`
"""
import argparse
import os
import pathlib
import secrets
import tempfile

import measure

WORKERS = 2  # the core's default
FACTS = 3  # enabling facts of a released key
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
ROUND_S, ROUNDS, BUDGET_S = 1, 3, 50


class Token:
    """A temporary SoftHSM token with one device key and one transport key, and load on it."""

    def __init__(self, binaries, facts=FACTS):
        self._temporary = tempfile.TemporaryDirectory(prefix="keyward-bench-")
        self.directory = pathlib.Path(self._temporary.name)
        self._program = binaries / "hsm_load"
        (self.directory / "tokens").mkdir(mode=0o700)
        self._put("softhsm2.conf", "directories.tokendir = %s/tokens\nobjectstore.backend = file\n"
                  "log.level = ERROR\n" % self.directory)
        for name in ("pin", "so-pin"):
            self._put(name, secrets.token_hex(16) + "\n")
        self._env = {"SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}
        with measure.Process([self._program, "make", self.directory, facts], self._env) as make:
            make.wait()
        self.calls = {}  # PKCS#11 calls of one operation, by function

    def _put(self, name, text):
        with open(os.open(self.directory / name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)

    def load(self, what, processes, seconds=ROUND_S, preload=None):
        """One sample of `what` (list or worker) by so many processes."""
        env = {**self._env, **({"LD_PRELOAD": preload} if preload else {})}
        loads = []
        try:
            for _ in range(processes):  # one after the other, as the core starts its workers
                loads.append(measure.Process([self._program, what, self.directory, seconds], env))
                self.calls = {name: int(count) for name, count in
                              (field.split("=") for field in loads[-1].expect("CALLS").split())}
                loads[-1].expect("READY")
            for load in loads:
                load.say()
            return measure.measure(loads, {})
        finally:
            for load in loads:
                load.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._temporary.cleanup()


def list_text(calls):
    return ", ".join("%d × %s" % (count, name) for name, count in calls.items())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with Token(options.build / "bin") as token:
        variants = [(what, count, preload) for preload in (None, JEMALLOC)
                    for what in ("list", "worker") for count in (1, WORKERS)
                    if preload is None or os.path.exists(preload)]
        rows = [(measure.Row(what, lambda v=(what, count, preload): token.load(v[0], v[1], preload=v[2])),
                 what, count, preload) for what, count, preload in variants]
        measure.run_rounds([row[0] for row in rows], 1 if options.quick else ROUNDS, BUDGET_S)
        print("### HSM: one GetDeviceAccess\n")
        print("%d calls: %s.\n" % (sum(token.calls.values()), list_text(token.calls)))
        base = rows[1][0]  # the list, by as many processes as there are workers
        measure.table(["what", "processes", "allocator", "per s", "of the list", "CPU µs", "p50 µs", "p99 µs",
                       "samples"],
                      [[what, count, "jemalloc" if preload else "libc", "%.0f" % row.per_s,
                        "%.2f" % measure.ratio(row, base, lambda sample: sample.per_s), "%.1f" % row.cpu_us("load"), "%.0f" % row.p50_us,
                        "%.0f" % row.p99_us, row.counts] for row, what, count, preload in rows])


if __name__ == "__main__":
    main()
