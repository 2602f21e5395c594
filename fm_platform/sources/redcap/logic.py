"""REDCap's expression language: branching logic and the equations of calculated fields, as syntax trees.

Belongs here: reading the text of an expression. Does not belong here: values (``values``), dictionaries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: Fraction


@dataclass(frozen=True)
class Text:
    """A text in quotes; ``true`` and ``false`` are texts, too."""

    value: str


@dataclass(frozen=True)
class Reference:
    """A field: ``[field]``, ``[event][field]``; of a checkbox one box, ``[field(code)]``.

    Attributes:
        field: Its name; a smart variable such as ``record-name`` keeps its hyphen.
        event: The unique name of another event, if one is named.
        code: The box.
        instance: An instance of a repeating form, if one is named.
    """

    field: str
    event: str | None = None
    code: str | None = None
    instance: str | None = None


@dataclass(frozen=True)
class Call:
    """A function or an operator with its operands; operators go by their sign, ``-`` with one operand negates."""

    name: str
    operands: tuple[Node, ...]


Node = Number | Text | Reference | Call


class UnreadableLogic(ValueError):
    """An expression that is not of this language."""


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<reference>\[[A-Za-z0-9_:-]+(?:\([^()\]]*\))?\])
    |(?P<number>\d+(?:\.\d*)?|\.\d+)
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign><=|>=|<>|!=|&&|\|\||[=<>+*/^(),!-])
    )""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"^\s*(#|//).*$", re.MULTILINE)
_SAME = {"!=": "<>", "&&": "and", "||": "or"}
_RANK = {
    "or": 1,
    "and": 2,
    "=": 3,
    "<>": 3,
    "<": 3,
    ">": 3,
    "<=": 3,
    ">=": 3,
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "^": 6,
}
_NEGATION, _UNARY = 3, 6
"""``not`` binds closer than ``and``; a sign binds as a power does."""


def parse_logic(text: str) -> Node:
    """Read an expression.

    Args:
        text: As it stands in the dictionary.

    Raises:
        UnreadableLogic: It is empty, breaks off, or has a sign that the language does not know.
    """
    tokens = _Tokens(list(_tokens(_COMMENT.sub("", text))))
    try:
        tree = _expression(tokens, 1)
    except RecursionError:
        raise UnreadableLogic("nested too deeply") from None
    if tokens.next is not None:
        raise UnreadableLogic(f"{tokens.next[1]!r} is not expected here")
    return tree


def references(node: Node) -> Iterator[Reference]:
    """The fields that an expression names."""
    if isinstance(node, Reference):
        yield node
    elif isinstance(node, Call):
        for operand in node.operands:
            yield from references(operand)


class _Tokens:
    """Tokens and the place of the next one."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def next(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> tuple[str, str]:
        token = self.next
        if token is None:
            raise UnreadableLogic("the expression breaks off")
        self._at += 1
        return token

    def took(self, sign: str) -> bool:
        if self.next != ("sign", sign):
            return False
        self._at += 1
        return True

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            raise UnreadableLogic(f"{sign!r} is missing")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnreadableLogic(f"{text[at:].split()[0][:20]!r} is not understood")
        kind, token = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "word" and token.lower() in ("and", "or", "not"):
            kind, token = "sign", token.lower()
        yield kind, _SAME.get(token, token) if kind == "sign" else token
        at = match.end()


def _expression(tokens: _Tokens, rank: int) -> Node:
    left = _operand(tokens)
    while (token := tokens.next) is not None and token[0] == "sign" and _RANK.get(token[1], 0) >= rank:
        tokens.take()
        left = Call(token[1], (left, _expression(tokens, _RANK[token[1]] + 1)))
    return left


def _operand(tokens: _Tokens) -> Node:
    kind, token = tokens.take()
    if kind == "number":
        return Number(Fraction(token))
    if kind == "text":
        return Text(token[1:-1])
    if kind == "reference":
        return _reference(token, tokens)
    if kind == "word":
        return _call(token.lower(), tokens)
    if token in ("not", "!"):
        return Call("not", (_expression(tokens, _NEGATION),))
    if token in ("-", "+"):
        operand = _expression(tokens, _UNARY)
        return Call("-", (operand,)) if token == "-" else operand
    if token != "(":
        raise UnreadableLogic(f"{token!r} is not expected here")
    inner = _expression(tokens, 1)
    tokens.expect(")")
    return inner


def _reference(token: str, tokens: _Tokens) -> Reference:
    names = [token[1:-1]]
    while tokens.next is not None and tokens.next[0] == "reference":
        names.append(tokens.take()[1][1:-1])
    if len(names) > 3:
        raise UnreadableLogic(f"{token!r} is followed by too many names")
    instance = names.pop() if len(names) > 1 and _is_instance(names[-1]) else None
    *event, named = names
    if len(event) > 1:
        raise UnreadableLogic(f"[{named}] has two events")
    field, _, code = named.partition("(")
    return Reference(field, event[0] if event else None, code.rstrip(")") if code else None, instance)


def _is_instance(name: str) -> bool:
    return name.isdigit() or name.endswith("-instance")


def _call(name: str, tokens: _Tokens) -> Node:
    if name in ("true", "false"):
        return Text(name)
    tokens.expect("(")
    operands: list[Node] = []
    while not tokens.took(")"):
        operands.append(_expression(tokens, 1))
        if not tokens.took(","):
            tokens.expect(")")
            break
    return Call(name, tuple(operands))
