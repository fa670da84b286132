"""As much of Go's templates, and of what Helm adds to them, as charts/keyward uses: so that the chart is tested where there is no
Helm. Anything else is an error. Where Helm is, tests/deploy/helm_test.py shows that both render the same.
"""
import hashlib
import json
import re

import yaml

ACTION = re.compile(r"\{\{(- )?\s*(?:(/\*.*?\*/)|(.*?))\s*?( -)?\}\}", re.DOTALL)
TOKEN = re.compile(r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*") | (?P<number>-?\d+) | (?P<path>\$?(?:\.?\w+)(?:\.\w+)*|\$|\.(?!\w)) | (?P<mark>:=|[()|,=])
)""", re.VERBOSE)


class TemplateError(Exception):
    """What is wrong, or what `fail` and `required` said."""


# --- text to nodes: ("text", s), ("do", tokens), ("if"|"with"|"range", tokens, body, otherwise) ---

def pieces(source):
    """Text and actions in turn, white space trimmed where an action says so."""
    at, trim = 0, False
    for found in ACTION.finditer(source):
        text = source[at:found.start()]
        text = text.lstrip() if trim else text
        yield "text", text.rstrip() if found.group(1) else text
        if not found.group(2):
            yield "action", found.group(3)
        at, trim = found.end(), found.group(4) is not None
    yield "text", source[at:].lstrip() if trim else source[at:]


def tokens_of(action):
    tokens, at = [], 0
    action = action.strip()
    while at < len(action):
        found = TOKEN.match(action, at)
        if not found:
            raise TemplateError("not understood: {{ %s }}" % action)
        tokens.append((found.lastgroup, found.group(found.lastgroup)))
        at = found.end()
    return tokens


class Parser:
    def __init__(self, source, defines):
        self.pieces = list(pieces(source))
        self.at = 0
        self.defines = defines

    def block(self):
        """Nodes up to an end, an else, or the end of the text; and that action."""
        nodes = []
        while self.at < len(self.pieces):
            kind, content = self.pieces[self.at]
            self.at += 1
            if kind == "text":
                nodes.append(("text", content))
                continue
            word, _, rest = content.partition(" ")
            if word in ("end", "else"):
                return nodes, content
            nodes.extend(self.action(word, rest, content))
        return nodes, None

    def action(self, word, rest, content):
        if word == "define":
            body, _ = self.block()
            self.defines[json.loads(rest.strip())] = body
            return []
        if word in ("if", "with", "range"):
            return [self.branch(word, rest)]
        return [("do", tokens_of(content))]

    def branch(self, word, rest):
        body, stop = self.block()
        otherwise = []
        if stop and stop.startswith("else "):
            kind, _, condition = stop[5:].strip().partition(" ")
            otherwise = [self.branch(kind, condition)]
        elif stop == "else":
            otherwise, _ = self.block()
        return (word, tokens_of(rest), body, otherwise)


# --- values ---

def text_of(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_yaml(value):
    return yaml.safe_dump(value, default_flow_style=False, sort_keys=True, width=10**6).rstrip("\n")


def indent(count, text):
    return "\n".join(" " * count + line for line in text.split("\n"))


def fail(text):
    raise TemplateError(text)


def kind_is(kind, value):
    return kind == {str: "string", bool: "bool", dict: "map", list: "slice"}.get(type(value), "number")


def set_key(mapping, key, value):
    mapping[key] = value
    return mapping


def index(value, *keys):
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value[key]
    return value


FUNCTIONS = {
    "not": lambda value: not value,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "len": len,
    "index": index,
    "printf": lambda form, *values: form % values,
    "quote": lambda value: json.dumps(text_of(value), ensure_ascii=False),
    "default": lambda fallback, value=None: value or fallback,
    "required": lambda text, value: value if value not in (None, "") else fail(text),
    "fail": fail,
    "dict": lambda *pairs: dict(zip(pairs[::2], pairs[1::2])),
    "list": lambda *items: list(items),
    "set": set_key,
    "hasKey": lambda mapping, key: key in mapping,
    "replace": lambda old, new, text: text.replace(old, new),
    "trunc": lambda count, text: text[:count],
    "trim": lambda text: text.strip(),
    "trimSuffix": lambda end, text: text.removesuffix(end),
    "trimPrefix": lambda start, text: text.removeprefix(start),
    "contains": lambda part, text: part in text,
    "regexFind": lambda form, text: (re.search(form, text) or [""])[0],
    "indent": indent,
    "nindent": lambda count, text: "\n" + indent(count, text),
    "toYaml": to_yaml,
    "int": int,
    "int64": int,
    "kindIs": kind_is,
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
}


# --- running ---

class Run:
    """One file, or one define: its dot, its variables."""

    def __init__(self, chart, dot):
        self.chart = chart
        self.dot = dot
        self.scopes = [{"$": dot}]

    def variable(self, name):
        for scope in reversed(self.scopes):
            if name in scope:
                return scope
        raise TemplateError("no variable %s" % name)

    def path(self, text):
        first, *names = text.split(".")
        if first in FUNCTIONS or first in ("include", "and", "or", "dict"):
            return None
        value = self.variable(first)[first] if first else self.dot
        for name in filter(None, names):
            if value is None:
                raise TemplateError("nil has no %s: %s" % (name, text))
            value = value.get(name) if isinstance(value, dict) else getattr(value, name)
        return value

    def operand(self, tokens):
        kind, text = tokens.pop(0)
        if kind == "text":
            return json.loads(text)
        if kind == "number":
            return int(text)
        if text == "(":
            value = self.pipeline(tokens)
            tokens.pop(0)
            return value
        if text in ("true", "false"):
            return text == "true"
        if text in FUNCTIONS or text == "include":
            return self.call(text, [])
        return self.path(text)

    def call(self, name, arguments):
        if name == "include":
            return self.chart.include(*arguments)
        return FUNCTIONS[name](*arguments)

    def command(self, tokens, piped):
        """A function with its arguments, or one operand."""
        name = tokens[0][1]
        if tokens[0][0] == "path" and (name in FUNCTIONS or name in ("include", "and", "or")):
            tokens.pop(0)
            arguments = []
            while tokens and tokens[0][1] not in ("|", ")"):
                arguments.append(self.operand(tokens))
            return self.combine(name, arguments + piped)
        value = self.operand(tokens)
        arguments = []
        while callable(value) and tokens and tokens[0][1] not in ("|", ")"):
            arguments.append(self.operand(tokens))
        return value(*arguments) if callable(value) else value

    def combine(self, name, arguments):
        if name == "and":
            return next((value for value in arguments if not value), arguments[-1])
        if name == "or":
            return next((value for value in arguments if value), arguments[-1])
        return self.call(name, arguments)

    def pipeline(self, tokens):
        value = self.command(tokens, [])
        while tokens and tokens[0][1] == "|":
            tokens.pop(0)
            value = self.command(tokens, [value])
        return value

    def do(self, tokens):
        tokens = list(tokens)
        if len(tokens) > 1 and tokens[1][1] in (":=", "="):
            name, sign = tokens[0][1], tokens[1][1]
            value = self.pipeline(tokens[2:])
            (self.scopes[-1] if sign == ":=" else self.variable(name))[name] = value
            return ""
        return text_of(self.pipeline(tokens))

    def each(self, tokens, body, otherwise):
        marks = [text for _, text in tokens]
        start = marks.index(":=") + 1 if ":=" in marks else 0
        names = [text for text in marks[:start] if text.startswith("$")]
        items = self.pipeline(tokens[start:])
        pairs = sorted(items.items()) if isinstance(items, dict) else list(enumerate(items or []))
        if not pairs:
            return self.nodes(otherwise)
        return "".join(self.scoped(dict(zip(names, pair if len(names) == 2 else pair[1:])), pair[1], body) for pair in pairs)

    def scoped(self, variables, dot, body):
        before = self.dot
        self.dot = dot
        self.scopes.append(variables)
        try:
            return self.nodes(body)
        finally:
            self.scopes.pop()
            self.dot = before

    def node(self, node):
        if node[0] == "text":
            return node[1]
        if node[0] == "do":
            return self.do(node[1])
        word, tokens, body, otherwise = node
        if word == "range":
            return self.each(tokens, body, otherwise)
        value = self.pipeline(list(tokens))
        if value:
            return self.scoped({}, value if word == "with" else self.dot, body)
        return self.scoped({}, self.dot, otherwise)

    def nodes(self, nodes):
        return "".join(self.node(node) for node in nodes)


class Templates:
    """All templates of a chart: defines by name, and what files render to."""

    def __init__(self):
        self.defines = {}
        self.files = {}

    def add(self, name, source):
        self.files[name], _ = Parser(source, self.defines).block()

    def include(self, name, dot):
        return Run(self, dot).nodes(self.defines[name])

    def render(self, name, dot):
        return Run(self, dot).nodes(self.files[name])
