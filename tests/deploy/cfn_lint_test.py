#!/usr/bin/python3
"""The Fargate templates by cfn-lint, warnings too; and a broken one, so that it is seen to look. Debian has no cfn-lint: it is looked for
in $PATH and build/tools, and the test is skipped where it is not, or is an old one.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import tools
from fargate import FILES, FOLDER

SKIPPED = 77
OLDEST = (1, 58)  # those before don't know an HSM cluster
REGION = "eu-west-1"


def lint(program, *paths):
    return subprocess.run([program, "--regions", REGION, "--template", *map(str, paths)], text=True, capture_output=True, check=False)


def finds_what_is_wrong(program):
    with tempfile.TemporaryDirectory() as place:
        wrong = pathlib.Path(place) / "cell.yaml"
        wrong.write_text((FOLDER / "cell.yaml").read_text().replace('Cpu: "2048"', 'Cpu: "2047"').replace("StorageEncrypted: true", "StorageEncryptd: true"))
        found = lint(program, wrong).stdout
        return "StorageEncryptd" in found and "2047" in found


def version(program):
    """(0, 0) when there is none, or a launcher without what it launches."""
    said = subprocess.run([program, "--version"], text=True, capture_output=True, check=False).stdout if program else ""
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def main():
    program = tools.program("cfn-lint")
    if version(program) < OLDEST:
        print("skipped: no cfn-lint here, or an older one than %d.%d" % OLDEST)
        sys.exit(SKIPPED)
    done = lint(program, *(FOLDER / name for name in FILES))
    if done.returncode != 0 or done.stdout.strip():
        sys.exit(done.stdout + done.stderr)
    if not finds_what_is_wrong(program):
        sys.exit("cfn-lint takes what is wrong")
    print("ok: cfn-lint finds nothing in %s" % ", ".join(FILES))


if __name__ == "__main__":
    main()
