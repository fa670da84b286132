"""How figures are made that may be compared: every round runs every variant once, samples during which
others used more than a fifth of a core are set aside, medians are shown. Absolute figures of a shared
machine are good to a factor of two; compare rows of one table.

A row without a clean sample shows its noisy ones and says so with a "~".
"""
import collections
import os
import pathlib
import selectors
import subprocess
import sys
import time

NOISE_MAX = 0.2  # of a core
ATTEMPTS = 3  # to make a sample
LINE_S = 60  # longest wait for anything a process says
TICKS = os.sysconf("SC_CLK_TCK")

Sample = collections.namedtuple("Sample", "per_s failed p50_us p99_us cpu_us noisy extra")


class Replaced(Exception):
    """A process under measurement has ended: its clock went with it."""


class Process:
    """A program that talks in lines, ended with the bench."""

    def __init__(self, argv, env=None):
        self.name = pathlib.Path(argv[0]).name
        self._process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, env={**os.environ, **(env or {})})
        self.pid = self._process.pid
        self.out = self._process.stdout.fileno()
        self._text = b""

    def say(self, line="go"):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def line(self):
        while b"\n" not in self._text:
            part = os.read(self.out, 65536)
            if not part:
                raise RuntimeError("%s ended with %s" % (self.name, self._process.wait()))
            self._text += part
        line, self._text = self._text.split(b"\n", 1)
        return line.decode()

    def has_line(self):
        return b"\n" in self._text

    def expect(self, start):
        line = self.line()
        if not line.startswith(start):
            raise RuntimeError("%s said %r, not %s" % (self.name, line, start))
        return line[len(start):].strip()

    def wait(self):
        """Until it ends by itself, and well."""
        if self._process.wait(LINE_S) != 0:
            raise RuntimeError("%s ended with %d" % (self.name, self._process.returncode))

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def process_cpu_s(pid):
    """CPU that a process has used, all threads."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3)
    except OSError as error:
        raise Replaced("process %d" % pid) from error


def machine_cpu_s():
    """CPU that all processes have used: user, nice, system."""
    with open("/proc/stat") as stat:
        return sum(int(field) for field in stat.readline().split()[1:4]) / TICKS


def descendants(pid):
    """The processes below one, by program name."""
    parents, names = collections.defaultdict(list), {}
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents[int((directory / "stat").read_text().rsplit(")", 1)[1].split()[1])].append(
                int(directory.name))
            names[int(directory.name)] = pathlib.Path(os.readlink(directory / "exe")).name
        except (OSError, IndexError):
            continue
    found, left = collections.defaultdict(list), [pid]
    while left:
        for child in parents[left.pop()]:
            found[names.get(child, "?")].append(child)
            left.append(child)
    return found


class _Clocks:
    """What everybody has used so far."""

    def __init__(self, groups, loads):
        self.wall = time.monotonic()
        self.machine = machine_cpu_s()
        self.own = time.process_time()
        self.groups = {name: sum(process_cpu_s(pid) for pid in pids)
                       for name, pids in groups.items()}
        self.loads = sum(process_cpu_s(load.pid) for load in loads)

    def noise_since(self, before):
        """Of a core, by processes that are none of ours."""
        ours = (sum(self.groups.values()) - sum(before.groups.values()) + self.loads -
                before.loads + self.own - before.own)
        return (self.machine - before.machine - ours) / (self.wall - before.wall)


def measure(loads, groups, extra=None):
    """One sample of load generators at work. `groups` are the processes of what they load: name → pids.
    CPU is per call, by group and for the load generators. `extra` gives numbers that only grow; the
    sample has what they grew by."""
    begun = ended = None
    figures, own_begin, own_cpu = {}, {}, {}
    selector = selectors.DefaultSelector()
    for load in loads:
        selector.register(load.out, selectors.EVENT_READ, load)
    extra_begin = extra_end = {}
    while len(figures) < len(loads):
        events = selector.select(LINE_S)
        if not events:
            raise RuntimeError("%s says nothing" % loads[0].name)
        for key, _ in events:
            load = key.data
            word, _, rest = load.line().partition(" ")
            while True:
                if word == "BEGIN":
                    own_begin[load] = process_cpu_s(load.pid)
                    if begun is None:
                        extra_begin = extra() if extra else {}
                        begun = _Clocks(groups, loads)
                elif word == "END":
                    own_cpu[load] = process_cpu_s(load.pid) - own_begin[load]
                    if ended is None:
                        ended = _Clocks(groups, loads)
                        extra_end = extra() if extra else {}
                    load.say()
                elif word == "FIGURES":
                    figures[load] = {name: float(value) for name, value in
                                     (field.split("=") for field in rest.split())}
                    selector.unregister(load.out)
                if not load.has_line():
                    break
                word, _, rest = load.line().partition(" ")
    calls = sum(each["calls"] for each in figures.values())
    per_s = sum((each["calls"] - each["failed"]) / each["seconds"] for each in figures.values())
    # Calls between the two readings, which is what the groups' CPU belongs to.
    calls_clocked = max(1.0, sum(each["calls"] / each["seconds"] for each in figures.values()) *
                        (ended.wall - begun.wall))
    cpu_us = {name: (ended.groups[name] - begun.groups[name]) / calls_clocked * 1e6
              for name in groups}
    cpu_us["load"] = sum(own_cpu.values()) / max(1.0, calls) * 1e6
    return Sample(per_s=per_s, failed=sum(each["failed"] for each in figures.values()) / max(1, calls),
                  p50_us=median([each["p50_us"] for each in figures.values()]),
                  p99_us=max(each["p99_us"] for each in figures.values()), cpu_us=cpu_us,
                  noisy=ended.noise_since(begun) > NOISE_MAX,
                  extra={name: (extra_end[name] - extra_begin.get(name, 0)) / calls_clocked
                         for name in extra_end})


def median(values):
    return sorted(values)[len(values) // 2]


class Row:
    """A variant: `run` makes one sample of it."""

    def __init__(self, name, run, failures_allowed=False):
        self.name, self._run, self._failures_allowed = name, run, failures_allowed
        self.samples = []

    def sample(self):
        for attempt in range(ATTEMPTS):
            try:
                sample = self._run()
                break
            except Replaced:  # the core replaces a worker now and then
                if attempt + 1 == ATTEMPTS:
                    raise
        if sample.failed > 0 and not self._failures_allowed:
            raise RuntimeError("%s: %.1f %% of the calls failed" % (self.name, 100 * sample.failed))
        self.samples.append(sample)

    def _shown(self):
        clean = [sample for sample in self.samples if not sample.noisy]
        return clean or self.samples

    def of(self, figure):
        """The median of `figure(sample)`."""
        return median([figure(sample) for sample in self._shown()])

    @property
    def per_s(self):
        return self.of(lambda sample: sample.per_s)

    @property
    def p50_us(self):
        return self.of(lambda sample: sample.p50_us)

    @property
    def p99_us(self):
        return self.of(lambda sample: sample.p99_us)

    def cpu_us(self, *groups):
        return self.of(lambda sample: sum(sample.cpu_us[group] for group in groups))

    def extra(self, name):
        return self.of(lambda sample: sample.extra.get(name, 0))

    @property
    def counts(self):
        clean = sum(not sample.noisy for sample in self.samples)
        return "%s%d/%d" % ("" if clean else "~", clean, len(self.samples))


def ratio(a, b, figure_a, figure_b=None):
    """The median of what two rows' samples of one round are to each other: a slow phase of the machine,
    which both were in, is in neither. From rounds in which both were clean, if there are any."""
    pairs = list(zip(a.samples, b.samples))
    clean = [pair for pair in pairs if not pair[0].noisy and not pair[1].noisy]
    figure_b = figure_b or figure_a
    return median([figure_a(one) / figure_b(other) for one, other in clean or pairs])


def run_rounds(rows, rounds, budget_s):
    """Round-robin; begins no round after the first that would not fit into the budget."""
    end, longest = time.monotonic() + budget_s, 0
    for i in range(rounds):
        begin = time.monotonic()
        if i > 0 and begin + longest > end:
            say("%d of %d rounds: the time is up" % (i, rounds))
            return
        for row in rows:
            row.sample()
        longest = max(longest, time.monotonic() - begin)


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def table(header, rows):
    """Prints a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---" for _ in header) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print(flush=True)
