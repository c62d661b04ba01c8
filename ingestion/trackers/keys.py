"""What of a commit's subject may land: the texts in it that look like a ticket, and nothing else."""

from __future__ import annotations

import re

import msgspec

# `SRCH-42` in upper case as people write keys, and `#12`. A longer prefix, a date or a hash is neither.
_KEY = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]{1,9}-[1-9][0-9]{0,8}(?![A-Za-z0-9])|(?<![\w/&])#[1-9][0-9]{0,8}(?![A-Za-z0-9])")


def key_texts(message: str | None) -> str:
    """Key-like texts of a message's first line, distinct and sorted, as a JSON array. `UTF-8` is among them: which prefixes
    and numbers are tickets is known to SQL only."""
    subject = (message or "").lstrip().split("\n", 1)[0]
    return msgspec.json.encode(sorted(set(_KEY.findall(subject)))).decode()
