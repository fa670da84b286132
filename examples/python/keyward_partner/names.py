"""Resource names and the 16 bytes behind them.

A name such as `partners/prt_…/grants/grt_…` ends in an id: a prefix and 16 bytes in lower-case
base32 without padding. In byte layouts and in a pen's messages only the bytes appear.
"""
import base64
import uuid

ID_SIZE = 16


def id_bytes(name):
    """The 16 bytes of the last id in a resource name: `devices/dev_…` or just `dev_…`."""
    _, _, text = name.rpartition("/")[2].partition("_")
    if len(text) != 26 or text != text.lower():
        raise ValueError("not a resource name: %r" % name)
    return base64.b32decode(text.upper() + "======")


def resource_name(collection, prefix, id_):
    """The name of 16 bytes: resource_name("devices", "dev", id) is `devices/dev_…`."""
    if len(id_) != ID_SIZE:
        raise ValueError("an id has 16 bytes")
    return "%s/%s_%s" % (collection, prefix, base64.b32encode(id_).decode().rstrip("=").lower())


def new_request_id():
    """A request_id. Use one for a request and all its retries, another for the next request."""
    return str(uuid.uuid4())
