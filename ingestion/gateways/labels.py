"""What callers write beside their requests: only allow-listed keys are kept, and only values that look like names,
because callers can put anything there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ingestion.catalog.dataset import REQUEST_LABELS

KEYS = tuple(name.removeprefix("tag_") for name in REQUEST_LABELS if name.startswith("tag_"))
_POSITION = {key: position for position, key in enumerate(KEYS)}
_NAME = re.compile(r"[A-Za-z0-9 _.:/@#+-]{1,128}")
_MOST_WORDS = 6


def plain_name(value: Any) -> str | None:
    """The value when it looks like a name: short, plain characters, few words. Free text is not kept."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or value.count(" ") >= _MOST_WORDS:
        return None
    return value


def kept(labels: Iterable[tuple[str, Any]]) -> tuple[str | int | None, ...]:
    """Cells of the columns REQUEST_LABELS: values in the order of KEYS, then how many labels were not kept.

    Keys are read without regard to case and to `-`, ` ` or `_`; of a key's values the first is kept.
    """
    values: list[str | None] = [None] * len(KEYS)
    dropped = 0
    for key, value in labels:
        position = _POSITION.get(key.lower().replace("-", "_").replace(" ", "_"))
        if position is None or values[position] is not None or (name := plain_name(value)) is None:
            dropped += 1
        else:
            values[position] = name
    return (*values, dropped)


def pairs(labels: Mapping[str, Any] | None, tags: Iterable[str] | None = None) -> list[tuple[str, Any]]:
    """(key, value) of a map and of `key:value` tags, the map first."""
    found: list[tuple[str, Any]] = list(labels.items()) if labels else []
    for tag in tags or ():
        key, _, value = tag.partition(":")
        found.append((key, value))
    return found
