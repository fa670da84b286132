#!/usr/bin/python3
"""A partner's backend in one sitting: join, fetch a pen's key, talk to the pen, print its doses.

    ./generate.sh stubs
    export PYTHONPATH=$PWD:$PWD/stubs
    /usr/bin/python3 demo.py --target HOST:PORT --invitation DIR --member DIR \\
        --device devices/dev_… --purpose therapy --pen "../../tests/interop/pen_sim.py pen.json"

`--pen` is the phone: a command that carries messages to a pen and back, one a line, in hex. pen.json
comes from make_pen.py.
"""
import argparse
import pathlib
import shlex
import subprocess
import sys

from keyward_partner.client import Client
from keyward_partner.errors import KeywardError
from keyward_partner.join import join
from keyward_partner.member import Member
from keyward_partner.pen import Handshake, PenError
from keyward_partner.records import RecordReader


class PenLink:
    """The phone between us and the pen. It sees nothing but ciphertext and tags."""

    def __init__(self, command):
        self._process = subprocess.Popen(shlex.split(command), text=True, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def send(self, kind, message):
        self._process.stdin.write("%s %s\n" % (kind, message.hex()))
        self._process.stdin.flush()

    def receive(self, kind):
        answer, _, text = self._process.stdout.readline().strip().partition(" ")
        if answer != kind:
            raise PenError("the pen says: %s %s" % (answer, text))
        return bytes.fromhex(text)


def read_doses(link, partner_id, epoch, partner_key):
    """Handshake, then the log until the record that says it is the last."""
    handshake = Handshake(partner_id, epoch)
    link.send("m1", handshake.m1)
    m3, session_keys = handshake.finish(partner_key, link.receive("m2"))
    link.send("m3", m3)
    reader, doses = RecordReader(session_keys), []
    while not doses or not doses[-1].is_last:
        doses.append(reader.open(link.receive("dose")))
    link.send("ack", reader.acknowledge())
    link.receive("ok")
    return doses


def parse_arguments():
    parser = argparse.ArgumentParser(description="A Keyward partner, from invitation to doses.")
    parser.add_argument("--target", required=True, help="Keyward's endpoint, host:port")
    parser.add_argument("--invitation", help="directory of the invitation, the first time")
    parser.add_argument("--member", required=True, type=pathlib.Path, help="where we keep our keys")
    parser.add_argument("--device", required=True, help="the pen, devices/dev_…")
    parser.add_argument("--purpose", required=True, help="the purpose of our grant")
    parser.add_argument("--epoch", type=int, default=1)
    parser.add_argument("--pen", required=True, help="command that speaks to the pen")
    return parser.parse_args()


def run(options):
    if (options.member / "member.json").exists():
        member = Member.load(options.member)
        print("we are %s" % member.name)
    else:
        member = join(options.target, options.invitation, options.member)
        print("joined as %s, transport key %d confirmed"
              % (member.name, member.transport_key_version))
    with Client(options.target, member) as client:
        delivery = client.get_device_access(options.device, options.epoch, options.purpose)
    print("key of %s opened and checked, %s" % (options.device, delivery.receipt))
    with PenLink(options.pen) as link:
        for dose in read_doses(link, member.id, options.epoch, delivery.key):
            print(dose)


def main():
    options = parse_arguments()
    if options.invitation is None and not (options.member / "member.json").exists():
        sys.exit("demo: not joined yet: --invitation is needed")
    try:
        run(options)
    except (KeywardError, PenError) as error:
        sys.exit("demo: %s" % error)


if __name__ == "__main__":
    main()
