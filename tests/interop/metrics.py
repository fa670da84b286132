"""What a service says of itself at /metrics."""
import os
import pathlib
import urllib.request


def rows(page):
    """name{labels} → value, of a page's text."""
    lines = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


class Metrics:
    """The /metrics page of a process, found among the ports it listens on: by root alone, when it is one of ours."""

    @classmethod
    def at(cls, url):
        """That of a service whose `Mesh.metrics_url` this is."""
        page = cls.__new__(cls)
        page._url = url + "/metrics"
        return page

    def __init__(self, pid):
        for port in self._listening(pid):
            self._url = "http://127.0.0.1:%d/metrics" % port
            try:
                if any(name.startswith("keyward_") for name in self.read()):
                    return
            except (OSError, ValueError):
                continue
        raise RuntimeError("process %d has no /metrics" % pid)

    @staticmethod
    def _listening(pid):
        sockets = set()
        for fd in pathlib.Path("/proc/%d/fd" % pid).iterdir():
            try:
                sockets.add(os.readlink(fd))
            except OSError:
                continue
        with open("/proc/%d/net/tcp" % pid) as table:
            for row in list(table)[1:]:
                fields = row.split()
                if fields[3] == "0A" and "socket:[%s]" % fields[9] in sockets:
                    yield int(fields[1].rpartition(":")[2], 16)

    def read(self):
        """name{labels} → value"""
        with urllib.request.urlopen(self._url, timeout=5) as page:
            return rows(page.read().decode())
