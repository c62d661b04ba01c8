"""Vendors that prepare an answer: ask for a job's state until it is over, then fetch the file from the address it gives.

The address carries its own permission and belongs to another host: no credentials are sent there, and its query never
shows in a message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

import httpx2
import msgspec

from ingestion.client import Answer, Call, Client
from ingestion.errors import ContractBroken, SourceUnavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
PATIENCE = 1800.0

T = TypeVar("T")


def said(answer: Answer, answer_type: type[T], context: str) -> T:
    """An answer as the struct it is documented to be; ContractBroken when it is not."""
    try:
        return msgspec.json.decode(answer.content, type=answer_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ContractBroken(
            tried=f"{context}: {answer.url}",
            found=f"an answer of {len(answer.content)} bytes that is not the documented one ({error})",
            to_do="compare the answer with the vendor's documentation; the connector may need an update",
        ) from None


def wait_for(
    client: Client,
    state: Callable[[], str],
    context: str,
    *,
    done: Collection[str],
    waiting: Collection[str],
    patience: float = PATIENCE,
) -> None:
    """Asks for a job's `state` until it is one of `done`, with pauses that grow, for at most `patience` seconds of pauses.

    Raises SourceUnavailable when the vendor takes longer, ContractBroken for a state that is neither done nor `waiting`.
    """
    pause, waited = FIRST_PAUSE, 0.0
    while (found := state().lower()) not in done:
        if found not in waiting:
            raise ContractBroken(
                tried=f"{context}: wait for the vendor's job",
                found="a job that failed or was stopped" if found in ("failed", "stopped") else "a state that is not documented",
                to_do="run again; if it stays, look at the job in the vendor's own pages",
            )
        if waited >= patience:
            raise SourceUnavailable(
                tried=f"{context}: wait for the vendor's job",
                found=f"it is not done after {waited:.0f} s",
                to_do="run again later, or ask for fewer days at once",
            )
        client.sleep(pause)
        waited += pause
        pause = min(pause * 2, LONGEST_PAUSE)


def download(client: Client, url: str, context: str) -> bytes:
    """The file at an address that a job gave, with the retries of `client` and none of its credentials.

    Raises ContractBroken for an address that is not https, unless the vendor itself is spoken to without.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL("")
    is_plain = parsed.scheme == "http" and client.base_url.startswith("http://")
    if not parsed.host or not (parsed.scheme == "https" or is_plain):
        raise ContractBroken(
            tried=f"{context}: download the vendor's file",
            found="an address that is not https",
            to_do="compare the answer with the vendor's documentation; the connector may need an update",
        )
    query = parsed.query.decode()
    origin = str(parsed.copy_with(path="/", query=None, fragment=None)).rstrip("/")
    stranger = replace(
        client, base_url=origin, headers={"Accept": "*/*"}, auth=None, secrets=(*client.secrets, *([query] if query else [])),
        requests=0, retries=0,
    )  # fmt: skip
    with stranger:
        try:
            return stranger.send(Call(url), context).content
        finally:
            client.requests += stranger.requests
            client.retries += stranger.retries
