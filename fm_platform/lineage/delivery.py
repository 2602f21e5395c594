"""The form in which OpenLineage events go: a file with one event a line, or to a collector that was named.

Belongs here: the file's content, and sending. Does not belong here: what the events say (``exchange.openlineage``). No
connection is opened unless the person who runs the export names an endpoint.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fm_platform.errors import EnvironmentFailure, InputError

DEFAULT_PATH = "api/v1/lineage"
TIMEOUT_SECONDS = 10


def event_lines(events: Sequence[Mapping[str, Any]]) -> bytes:
    """Events as NDJSON."""
    lines = (json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in events)
    return "".join(lines).encode()


def send_events(events: Sequence[Mapping[str, Any]], endpoint: str, api_key: str | None = None) -> None:
    """Post events one by one, in order, and stop at the first that is refused.

    Args:
        events: What to send.
        endpoint: A collector's address; one without a path gets ``/api/v1/lineage``, as from OpenLineage's clients.
        api_key: Sent as a bearer token.

    Raises:
        InputError: The address is not one of http or https.
        EnvironmentFailure: The collector cannot be reached or refuses an event; sending all of them again is safe.
    """
    url = collector(endpoint)
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": f"Bearer {api_key}"} if api_key else {}
    )
    for number, event in enumerate(events):
        body = json.dumps(event, ensure_ascii=False).encode()
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
        except (urllib.error.URLError, OSError) as error:
            raise EnvironmentFailure(
                f"{url} took {number} of {len(events)} events, then: {error}",
                mend="check the address and OPENLINEAGE_API_KEY, then export again (run ids are stable)",
            ) from error


def collector(endpoint: str) -> str:
    """The full address of a collector.

    Raises:
        InputError: It is not one of http or https.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(
            f"endpoint {endpoint!r} is not an http address", mend="write e.g. http://collector.example:5000"
        )
    return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}/{DEFAULT_PATH}"
