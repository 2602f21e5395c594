"""The mixed model of a panel, as what its rows in ``stats.sensitivity`` say.

Belongs here: which subjects and cells enter, from how many subjects on, the words. Does not belong here: the fit
(``mixed_model``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fm_platform.statistics.imputation import Filled
from fm_platform.statistics.mixed_model import Contrast, NoFit, fit_mixed_model
from fm_platform.statistics.panel import Panel

LEAST_MODELLED = 12
"""Below this many subjects with a baseline and a later value there is no mixed model, and no row for one."""
MIXED_METHOD = (
    "mixed model of subjects with a baseline and a later value: fixed visits, random intercept, REML; "
    "95 % interval and p of Student's t with Satterthwaite's df"
)


@dataclass(frozen=True)
class Modelled:
    """The mixed model of a panel.

    Attributes:
        data: Its subjects' baselines (there is no one later value), and the cells it read.
        contrasts: One a visit; None where nobody has a value. Empty where there is no fit, ``note`` says why.
    """

    data: Filled
    contrasts: tuple[Contrast | None, ...]
    note: str | None

    def says(self, visit: int) -> dict[str, Any]:
        """What the row of a visit says."""
        if not self.contrasts:
            return {"method": MIXED_METHOD, "note": self.note}
        found = self.contrasts[visit]
        if found is None:
            return {"method": MIXED_METHOD, "note": "no values at this visit"}
        return {
            "mean_change": found.estimate,
            "mean_low": found.low,
            "mean_high": found.high,
            "mean_df": found.df,
            "p_value": found.p_value,
            "method": MIXED_METHOD,
            "note": self.note,
        }


def mixed_model(panel: Panel) -> Modelled | None:
    """The model of a panel's subjects with a baseline and a later value; None where they are too few."""
    has = panel.known[:, panel.baseline] & panel.known[:, panel.later].any(axis=1)
    if has.sum() < LEAST_MODELLED:
        return None
    base = panel.values[has, panel.baseline]
    data = Filled(base, base, panel.scale, 0)
    try:
        fit = fit_mixed_model(panel.values[has], panel.known[has], panel.baseline, panel.scale)
    except NoFit as reason:
        return Modelled(data, (), str(reason))
    edge = None if fit.intercept_variance else "the variance between subjects is estimated as 0"
    return Modelled(data, fit.contrasts, edge)
