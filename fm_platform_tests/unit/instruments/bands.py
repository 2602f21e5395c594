"""Severity labels read from the schemes one value at a time: what the platform's tables are held against."""

from __future__ import annotations

from fractions import Fraction

from fm_platform.instruments.model import Instrument


def band_of(instrument: Instrument, score_id: str, scheme: str, value: Fraction | int) -> str:
    """The severity label of a value.

    Bands are published on whole numbers and leave gaps for fractions: a band ends at its upper value
    inclusive, and the next one takes the gap.

    Args:
        instrument: The questionnaire.
        score_id: Full or short score id.
        scheme: Name of the band scheme; published schemes disagree, so there is no default.
        value: The unrounded score.

    Raises:
        KeyError: The instrument has no such scheme for this score.
        ValueError: The value is beyond the last band.
    """
    short = score_id.removeprefix(f"{instrument.id}.")
    for bands in instrument.bands:
        if (bands.score, bands.scheme) == (short, scheme):
            for band in bands.bands:
                if value <= band.upper:
                    return band.label
            raise ValueError(f"{instrument.id}.{short} {value} is beyond the last band of {scheme}")
    raise KeyError(f"{instrument.id}.{short} has no band scheme {scheme!r}")
