"""How an offence in a model's SQL becomes an error.

Belongs here: the type of the function that makes it. Does not belong here: what is an offence.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from fm_platform.errors import InputError
from fm_platform.sql.model import line_of

Refuse = Callable[[exp.Expr, str, str], InputError]
"""Makes the error from the offending node, the message and the mend."""


def refusal(file: str) -> Refuse:
    """How offences in a file are reported."""

    def refuse(node: exp.Expr, message: str, mend: str) -> InputError:
        return InputError(message, file=file, line=line_of(node), mend=mend)

    return refuse
