"""Keyed pseudonyms: the same person has the same one as long as the key is the same.

Belongs here: the key from the environment and HMAC over subject ids. Does not belong here: keeping either; the
key is never written anywhere, and no table holds a subject id beside its pseudonym.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence

from fm_platform.errors import FmError, InputError

VARIABLE = "FM_PSEUDONYM_KEY"
SHORTEST_KEY = 16
PSEUDONYM_LENGTH = 18
"""Characters of a pseudonym."""


def pseudonym_key() -> bytes:
    """The key, from ``FM_PSEUDONYM_KEY``.

    Raises:
        InputError: It is not set, or too short to withstand guessing.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise InputError(
            "pseudonyms need a key",
            mend=f"set {VARIABLE} to a secret of at least {SHORTEST_KEY} characters, or drop `pseudonyms: true`",
        )
    if len(text) < SHORTEST_KEY:
        raise InputError(
            f"{VARIABLE} has {len(text)} characters",
            mend=f"use a secret of at least {SHORTEST_KEY} characters",
        )
    return text.encode()


def key_id() -> str:
    """A name of the key that does not reveal it, so that another key makes pseudonyms anew; empty without key."""
    text = os.environ.get(VARIABLE, "")
    return hmac.digest(text.encode(), b"fm_platform key id", hashlib.sha256).hex()[:16] if text else ""


def pseudonyms(key: bytes, study_id: str, subjects: Sequence[str]) -> dict[str, str]:
    """The pseudonym of each subject: 80 bits of HMAC-SHA-256 over study and subject.

    Raises:
        FmError: Two subjects share a pseudonym.
    """
    made = {}
    for subject in subjects:
        digest = hmac.digest(key, f"{study_id}\0{subject}".encode(), hashlib.sha256)
        made[subject] = "P-" + base64.b32encode(digest[:10]).decode()
    if len(set(made.values())) != len(made):
        raise FmError("two subjects share a pseudonym", mend=f"set another {VARIABLE}")
    return made
