"""A model whose numbers get wider types, once it is known how many digits they have.

Belongs here: replacing the type in the casts of single output columns. Does not belong here: which columns need it
(``validation.number_scales``), any other change of a tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from fm_platform.sql.model import DIALECT, SqlModel


def widened(model: SqlModel, usual: str, types: Mapping[str, str]) -> SqlModel:
    """The model with another number type in some columns.

    Args:
        model: The model; it is left as it is.
        usual: The type to replace.
        types: Column name to the type that its casts to ``usual`` become.
    """
    if not types:
        return model
    before = exp.DataType.build(usual, dialect=DIALECT)
    tree = model.tree.copy()
    for projection in list(tree.find_all(exp.Alias)):
        if projection.alias not in types:
            continue
        after = exp.DataType.build(types[projection.alias], dialect=DIALECT)
        for kind in list(projection.find_all(exp.DataType)):
            if kind == before:
                kind.replace(after.copy())
    return replace(model, sql=tree.sql(dialect=DIALECT, comments=False), parse=lambda: tree)
