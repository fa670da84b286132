#!/usr/bin/python3
"""`./run containers`: builds all images, starts the mesh of compose.yaml, and shows that it does what its first lines say. Each step is
timed; one that fails ends it with the last words of who is not well. However it ends, nothing is left.

Exit code: 0, 1 when a step failed, 77 when no engine starts (printed, with the reason).
"""
import argparse
import contextlib
import pathlib
import shutil
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

import engine as engines
import images
from compose import CELLS, REGIONS, Compose, eventually

PLACE = images.TOP / "build/containers"
SKIPPED = 77
UNANSWERED = 3  # of the command
SIZE_MAX = 30_000_000
CALLS, PENS = 20, 50
FIRST = ("r1-a", "r2-a")
ALL = tuple("%s-%s" % (region, cell) for region in REGIONS for cell in CELLS)
PROMISE = 'keyward_feed_promise_age_milliseconds{origin="%s"}'
LANES, ROWS = 'keyward_feed_digest{of="lanes"}', 'keyward_feed_digest{of="rows"}'


def fails(words, call, *arguments, **options):
    """It ends badly, and says this."""
    try:
        call(*arguments, **options)
    except engines.Failed as error:
        if words not in str(error):
            raise
    else:
        raise engines.Failed("it went well, where this was to be said: " + words)


class Story:
    """Step by step; each relies on those before."""

    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder
        self.tag = "dev" if engine.own else "containers-test"
        self.compose, self.base, self.stores, self.steps, self.begun = None, None, {}, 0, time.monotonic()
        self.member = self.partner = self.device = self.key = self.before = None

    @contextlib.contextmanager
    def step(self, what):
        begin = time.monotonic()
        print("%-72s " % what, end="", flush=True)
        self.remark = ""
        yield
        self.steps += 1
        print("%6.1f s  %s" % (time.monotonic() - begin, self.remark), flush=True)

    # --- images ---

    def prepare(self):
        with self.step("engine"):
            self.engine.start("host")
            self.remark = "own, %s" % self.engine.storage if self.engine.own else "the machine's"
        with self.step("base image " + images.BASE):
            self.base, self.remark = images.base(self.engine, PLACE)
        with self.step("a container reaches Debian's packages"):
            self.engine.must_run(self.base, "apt-get", "update", "-qq")
        with self.step("images of Redis and PostgreSQL"):
            came = {asked: images.store(self.engine, name, self.base) for asked, name in images.STORES.items()}
            self.stores = {asked: name for asked, (name, _) in came.items()}
            self.remark = ", ".join("%s %s" % pair for pair in came.values())
        with self.step("our images"):
            images.build(self.engine, self.tag, self.base)
        with self.step("none is above %d MB over the base" % (SIZE_MAX // 1_000_000)):
            sizes = images.sizes(self.engine, self.tag, self.base)
            self.remark = ", ".join("%s %.1f (in all %.1f)" % (name, more / 1e6, size / 1e6) for name, (size, more) in sizes.items())
            large = [name for name, (_, more) in sizes.items() if more > SIZE_MAX]
            if large:
                raise engines.Failed("too large: %s: %s" % (", ".join(large), self.remark))

    # --- two regions ---

    def start(self):
        with self.step("a network of its own"):
            if self.engine.own:
                self.engine.start("own")
                self.engine.must_network(self.base)
            self.engine.enter()
            self.compose = Compose(self.engine, self.tag, self.stores)
        with self.step("a command before all else: the mesh is made first, and nobody answers"):
            fails(": exit %d\n" % UNANSWERED, self.compose.keyward, "status")
        with self.step("up: two regions, healthy"):
            self.compose.up()
            self.remark = "%d containers; %.0f s since the beginning" % (len(self.compose.containers()), time.monotonic() - self.begun)
        with self.step("init a second time: a mesh that is there is left alone"):
            self.remark = self.compose.compose("run", "--rm", "-T", "init").strip().splitlines()[-1]

    def tour(self):
        with self.step("tour"):
            told = self.compose.keyward("tour", "--pens=%d" % PENS)
            self.remark = "%s; %.0f s since the beginning" % (told.strip().splitlines()[-1], time.monotonic() - self.begun)

    def metrics_are_its_own(self):
        with self.step("metrics are for their container alone: its neighbour is refused"):
            there = self.compose.containers()
            address = there["r1-a-authz"]["NetworkSettings"]["Networks"][self.compose.project + "_r1-a-owners"]["IPAddress"]
            self.remark = "%d of r1-a-authz" % len(self.compose.metrics("r1-a-authz", there))
            fails("Connection refused", self.compose.metrics, "r1-a-replicator", there, at=address)

    def partner_joins(self):
        import partner
        with self.step("a partner of this machine joins and fetches a pen's key by 127.0.0.1"):
            self.device = self.compose.asked("device", "list", "--page-size=1")["devices"][0]["name"]
            self.partner, self.member = partner.joined(self.compose, self.folder)
            partner.granted(self.compose, self.partner, self.device)
            self.key = self.fetched("r1-a")

    def fetched(self, cell):
        import partner
        with partner.Doors(self.compose, self.member, [cell]) as doors:
            return eventually("a key from " + cell, lambda: self.asked_once(doors, cell))

    def asked_once(self, doors, cell):
        from keyward_partner.errors import KeywardError
        try:
            return doors.ask(cell, self.device)
        except KeywardError:
            return None

    def held(self):
        """What operators find."""
        return {command: self.compose.asked(*command.split()) for command in ("partner list", "station list", "grant list partners/-", "device list --page-size=1000",
                                                                           "receipt list --page-size=1000")}

    def down_and_up(self):
        with self.step("down, up"):
            self.before = self.held()
            self.compose.down()
            self.compose.up()
        with self.step("everything is found again"):
            after = self.held()
            for command, was in self.before.items():
                if after[command] != was:
                    raise engines.Failed("%s: was %.2000s\nis %.2000s" % (command, was, after[command]))
            self.same_key(*FIRST)
            self.remark = ", ".join("%d of %s" % (len(next(iter(was.values()))), command.split()[0]) for command, was in self.before.items())

    def same_key(self, *cells):
        for cell in cells:
            if self.fetched(cell) != self.key:
                raise engines.Failed("%s has another key for %s" % (cell, self.device))

    def killed(self):
        for service in ("r1-a-orchestrator", "r1-a-cryptocore", "r1-a-sql"):
            with self.step("kill -9 of %s: it returns" % service):
                was = self.compose.containers()[service]["State"]
                self.engine.kill(was["Pid"])
                eventually(service + " starts anew", lambda: self.anew(service, was))
                self.compose.await_healthy(*self.compose.names("r1-a"))
                self.same_key("r1-a")
        with self.step("docker kill of r1-a-gateway: it returns with the next up"):
            self.engine.docker("kill", self.compose.containers()["r1-a-gateway"]["Id"])
            self.compose.up()
            self.same_key("r1-a")

    def anew(self, service, was):
        now = self.compose.containers()[service]["State"]
        return now["Running"] and now["StartedAt"] != was["StartedAt"]

    # --- six cells ---

    def ha(self):
        with self.step("up with profile ha: six cells, healthy"):
            self.compose.profiles = ["ha"]
            self.compose.up()
            self.remark = "%d containers" % len(self.compose.containers())
        with self.step("all are members: each hears all others, and holds the same"):
            self.await_heard()
            eventually("all cells hold the same", self.hold_the_same)
            self.same_key(*ALL)

    def pages(self, cells=ALL):
        """Cell → pages of its two owners."""
        there = self.compose.containers()
        return {cell: [self.compose.metrics("%s-%s" % (cell, owner), there) for owner in ("authz", "orchestrator")] for cell in cells}

    def await_heard(self):
        """Each of all others from now on, however slow all are."""
        since = time.monotonic()
        eventually("all cells hear one another", lambda: self.heard_since(since))

    def heard_since(self, since):
        """Of who is not heard the newest promise is older than that, and stays so: it grows old with the clock."""
        young = 1000 * (time.monotonic() - since)
        return all(page.get(PROMISE % other.replace("-", "/"), young) < young
                   for cell, pages in self.pages().items() for page in pages for other in ALL if other != cell)

    def hold_the_same(self):
        """Each owner all lanes, and so all rows."""
        pages = self.pages().values()
        if any(len({two[owner][LANES] for two in pages}) != 1 or 0 in {two[owner][LANES] for two in pages} for owner in (0, 1)):
            return False
        return all(len({two[owner][ROWS] for two in pages}) == 1 for owner in (0, 1))

    def one_of_three(self):
        import partner
        region = [cell for cell in ALL if cell.startswith("r1")]
        with partner.Doors(self.compose, self.member, region) as doors, partner.Asking(doors, self.device, self.key) as asking:
            with self.step("calls to r1 while nothing is wrong"):
                asking.await_more(CALLS)
                self.same_served(asking, {*region})
            with self.step("r1-a is stopped, r1-b killed: all calls are served by r1-c"):
                self.compose.compose("stop", *self.compose.names("r1-a"))
                asking.await_more(CALLS)
                there = self.compose.containers()
                self.engine.docker("kill", *[there[service]["Id"] for service in self.compose.names("r1-b")])
                del asking.served[:]
                asking.await_more(CALLS)
                self.same_served(asking, {"r1-c"})
            with self.step("both return, and hold the same"):
                self.compose.up()
                self.await_heard()
                del asking.served[:]
                asking.await_more(CALLS)
                self.same_served(asking, {*region})
        with self.step("all hold the same again"):
            eventually("all cells hold the same", self.hold_the_same)

    def same_served(self, asking, cells):
        self.remark = "%d calls, %d of them at a second or third cell, longest %.2f s" % (len(asking.served), asking.moved, asking.longest_s)
        if asking.failed:
            raise engines.Failed("calls that nobody served: " + "; ".join(asking.failed[:5]))
        if set(asking.served) != cells:
            raise engines.Failed("served by %s" % sorted(set(asking.served)))

    def tell(self, short):
        self.prepare()
        self.start()
        self.tour()
        self.metrics_are_its_own()
        self.partner_joins()
        if not short:
            self.go_on()

    def go_on(self):
        self.down_and_up()
        self.killed()
        self.ha()
        self.one_of_three()

    def clean(self):
        """Containers, networks, volumes; and of a machine's engine the images that are of this test alone."""
        if self.compose is not None:
            self.compose.profiles = ["ha", "tools"]
            self.compose.down("--volumes", "--remove-orphans")
        if not self.engine.own:
            made = ["keyward/%s:%s" % (name, self.tag) for name in images.OURS]
            self.engine.docker_words("rmi", *made, *(images.APART + name for name in (images.BASE, *images.STORES.values())))


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def told(engine, folder, short):
    """Whether it ended well."""
    story = Story(engine, folder)
    try:
        story.tell(short)
    except engines.NoEngine:
        print(flush=True)
        raise
    except (Exception, KeyboardInterrupt) as error:
        print("FAILED\n%s: %s" % (type(error).__name__, error), flush=True)
        if story.compose is not None:
            print(story.compose.ailing(), flush=True)
        return False
    finally:
        story.clean()
    print("containers: %d steps passed in %.0f s" % (story.steps, time.monotonic() - story.begun))
    return True


def main():
    parser = argparse.ArgumentParser(description="The mesh of compose.yaml, on an engine")
    parser.add_argument("--short", action="store_true", help="up to the partner: nothing is ended, and there are two cells")
    short = parser.parse_args().short
    signal.signal(signal.SIGTERM, interrupted)
    PLACE.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyward-containers-"))
    engine = None
    try:
        engine = engines.find(PLACE)
        return 0 if told(engine, folder, short) else 1
    except engines.NoEngine as why:
        print("SKIPPED containers: %s" % why, flush=True)
        return SKIPPED
    finally:
        if engine is not None:
            engine.remove()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
