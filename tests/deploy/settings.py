"""The services' own tables of settings, from docs/settings-*.md, which a test of its own compares with the code."""
import re

from chart import TOP

ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
SPAN = re.compile(r"(number|list|string), (\d+) to (\d+)")


def known(service):
    """name → (type, required?)"""
    page = (TOP / "docs" / ("settings-%s.md" % service)).read_text()
    return {name: (kind.strip(), fallback.strip() == "required") for name, kind, fallback in ROW.findall(page)}


def unfit(kind, value):
    """Why a value is none of that type, or None."""
    span = SPAN.match(kind)
    if kind.startswith("list"):
        size = len(value) if isinstance(value, list) else -1
        return None if int(span.group(2)) <= size <= int(span.group(3)) else "a list of %d" % size
    if kind.startswith("number"):
        whole = isinstance(value, int) and int(span.group(2)) <= value <= int(span.group(3))
        return None if whole else "no number from %s to %s: %r" % (span.group(2), span.group(3), value)
    if kind == "true or false":
        return None if isinstance(value, bool) or value in ("true", "false") else "neither: %r" % (value,)
    if not isinstance(value, str):
        return "no text: %r" % (value,)
    if kind == "host:port" and not re.fullmatch(r"(\[[^]]+\]|[^:]+):\d{1,5}", value):
        return "no host:port: %s" % value
    if span and not int(span.group(2)) <= len(value) <= int(span.group(3)):
        return "not of that length: %s" % value
    return None
