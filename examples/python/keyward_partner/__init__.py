"""A partner's backend for Keyward: join, fetch a pen's key, check it, read the pen's doses.

    join.py       from an invitation to a member with a certificate and a transport key
    client.py     the calls: GetDeviceAccess, DeriveSession, BatchGetDeviceAccess
    envelope.py   what the calls return: opened, and proved to be what it says
    pen.py        the app's side of the handshake with a pen
    records.py    the pen's dose records
    errors.py     what a refused call says, as an exception

Needs grpcio, protobuf, cryptography, and stubs generated from proto/ (generate.sh). `names`,
`primitives`, `signing` and `member` are what these stand on.
"""
