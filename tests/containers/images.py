"""The images that ours are made from and run beside. Where they cannot be pulled they are made here: the base by debootstrap, Redis and
PostgreSQL from Debian's packages (stand-ins/), with what compose.yaml relies on of the official ones. On an engine of ours they have the
official names; somebody's engine, which may outlast a run that was killed, has nothing under these but what is official.
"""
import pathlib
import shutil
import subprocess
import tarfile

import engine as engines

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
BASE = "debian:bookworm-slim"
STORES = {"KEYWARD_REDIS_IMAGE": "redis:7-bookworm", "KEYWARD_POSTGRES_IMAGE": "postgres:15-bookworm"}  # as compose.yaml asks for them
OURS = ("gateway", "authz", "orchestrator", "cryptocore", "replicator", "keyward", "init")
APART = "keyward-containers-test/"
PULL_S, BOOTSTRAP_S, BUILD_S = 120, 900, 2400

# What the official image leaves out, too; of documentation it keeps licences.
LICENCE = "copyright"
LEFT_OUT = ("usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt/lists", "var/log")
SOURCES = """deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
"""


def there(engine, name):
    return engines.answers([engines.client(), "image", "inspect", name], env=engine.env)


def name_of_made(engine, name):
    return name if engine.own else APART + name


def pulled(engine, name):
    try:
        engine.docker("pull", "--quiet", name, timeout=PULL_S)
    except engines.Failed:
        return False
    return True


def bootstrap(tarball):
    """Debian as the official image has it, into a file."""
    if not shutil.which("debootstrap"):
        raise engines.NoEngine("%s cannot be pulled, and there is no debootstrap to make it" % BASE)
    root = tarball.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    try:
        engines.run(["debootstrap", "--variant=minbase", "bookworm", str(root), "http://deb.debian.org/debian"], timeout=BOOTSTRAP_S)
    except engines.Failed as why:
        raise engines.NoEngine("%s cannot be pulled, nor made: %s" % (BASE, str(why).strip().splitlines()[-1])) from why
    (root / "etc/apt/sources.list").write_text(SOURCES)
    # As there: what is installed on top need not outlast a power cut.
    (root / "etc/dpkg/dpkg.cfg.d/docker-apt-speedup").write_text("force-unsafe-io\n")
    for name in LEFT_OUT:
        for path in (root / name).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != LICENCE and not path.is_dir():
            path.unlink()
    part = tarball.with_suffix(".part")
    engines.run(["tar", "--numeric-owner", "-C", str(root), "-cf", str(part), "."])
    part.rename(tarball)
    shutil.rmtree(root)


def base(engine, place):
    """Returns its name, and how it came here."""
    if there(engine, BASE):
        return BASE, "there"
    if pulled(engine, BASE):
        return BASE, "pulled"
    name = name_of_made(engine, BASE)
    tarball = place / "debian-bookworm-slim.tar"
    kept = tarball.exists()
    if not kept:
        bootstrap(tarball)
    with open(tarball, "rb") as stream:
        engine.docker("import", "-", name, stdin=stream)
    return name, "imported" if kept else "made by debootstrap"


def store(engine, official, on):
    """The image of Redis or PostgreSQL: its name, and how it came here."""
    if there(engine, official):
        return official, "there"
    if pulled(engine, official):
        return official, "pulled"
    name, folder = name_of_made(engine, official), HERE / "stand-ins"
    engine.docker("build", *engine.build_options, "--build-arg", "BASE=" + on, "--tag", name,
                  "--file", str(folder / (official.split(":")[0] + ".Dockerfile")), str(folder), timeout=BUILD_S)
    return name, "made from Debian's packages"


def build(engine, tag, on):
    """Ours, by the Dockerfile that everybody builds."""
    for name in OURS:
        engine.docker("build", *engine.build_options, "--build-arg", "BASE=" + on, "--file", str(TOP / "docker/Dockerfile"), "--target", name,
                      "--tag", "keyward/%s:%s" % (name, tag), str(TOP), timeout=BUILD_S)


def files(engine, name):
    """Path → bytes of what is in an image."""
    made = engine.docker("create", name, "none").strip()
    try:
        with subprocess.Popen([engines.client(), "export", made], env=engine.env, stdout=subprocess.PIPE) as export, \
                tarfile.open(fileobj=export.stdout, mode="r|") as entries:
            return {entry.name: entry.size for entry in entries}
    finally:
        engine.docker("rm", made)


def sizes(engine, tag, on):
    """Image → (bytes, those of them that the base has not)."""
    below = files(engine, on)
    found = {name: files(engine, "keyward/%s:%s" % (name, tag)) for name in OURS}
    return {name: (sum(has.values()), sum(size for path, size in has.items() if path not in below)) for name, has in found.items()}
