#!/usr/bin/python3
"""A pen to try things with: the key that a station of your own test mesh was sent, as pen.json for
tests/interop/pen_sim.py. In the field only the pen ever has this key.

    ./make_pen.py PENS.jsonl STATION-DIRECTORY devices/dev_… pen.json

PENS.jsonl is what `keyward batch create --file` wrote, the directory is the one the station joined
into; `keyward tour --dir=T` leaves both in T.
"""
import base64
import json
import pathlib
import sys

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from keyward_partner.member import write_file


def main(pens, station, device, file):
    items = [json.loads(line) for line in pathlib.Path(pens).read_text().splitlines()]
    item = next((item for item in items if item.get("device") == device), None)
    if item is None:
        sys.exit("make_pen: %s has no %s" % (pens, device))
    transport_key = pathlib.Path(station, "transport-v%d.key" % item["transportKeyVersion"])
    device_key = aes_key_unwrap_with_padding(transport_key.read_bytes(),
                                             base64.b64decode(item["wrappedKey"]))
    pen = {"device_id": base64.b64decode(item["deviceId"]).hex(), "device_key": device_key.hex(),
           "counter": 0}
    write_file(pathlib.Path(file), json.dumps(pen).encode() + b"\n")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
