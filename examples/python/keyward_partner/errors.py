"""What went wrong, as exceptions a program can decide on.

A refused call carries a `google.rpc.Status` in its trailing metadata, and in it exactly one
ErrorInfo, whose `reason` is stable and listed in docs/errors.md. Programs look at `code` and
`reason`; the text is for people.
"""
import contextlib

import grpc
from google.rpc import error_details_pb2, status_pb2

STATUS_KEY = "grpc-status-details-bin"
CODES = {code.value[0]: code for code in grpc.StatusCode}


class KeywardError(Exception):
    """A call that Keyward refused, or that did not reach it (then `reason` is empty)."""

    def __init__(self, status):
        super().__init__(status.message)
        self.code = CODES[status.code]
        self.message = status.message
        self.reason = ""
        self.metadata = {}
        self.fields = {}
        self.retry_after_s = None
        self.request_id = ""
        for detail in status.details:
            self._take(detail)

    def __str__(self):
        fields = "".join("; %s: %s" % item for item in self.fields.items())
        return "%s: %s%s" % (self.reason or self.code.name, self.message, fields)

    def _take(self, detail):
        """Reads the details it knows; others are left for programs that know them."""
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        bad, request = error_details_pb2.BadRequest(), error_details_pb2.RequestInfo()
        if detail.Unpack(info):
            self.reason = info.reason
            self.metadata = dict(info.metadata)
        elif detail.Unpack(bad):
            self.fields = {v.field: v.description for v in bad.field_violations}
        elif detail.Unpack(retry):
            self.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
        elif detail.Unpack(request):
            self.request_id = request.request_id


def from_rpc_error(error):
    """The KeywardError in a grpc.RpcError."""
    status = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_KEY:
            status.ParseFromString(value)
    return KeywardError(status)


@contextlib.contextmanager
def translated():
    """Inside this block a grpc.RpcError becomes a KeywardError."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
