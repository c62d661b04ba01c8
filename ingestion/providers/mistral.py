"""Mistral: usage of a calendar month in the account's own currency, the whole and by workspace.

The inner shape of the answer is not documented, so it is flattened: objects that hold no further object are entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Call, Client
from ingestion.errors import ContractBroken
from ingestion.records import Batch, Refused, Reject, Row, amount, digest, exact_sum, one_currency, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, Http, System
from ingestion.windows import Window

BASE_URL = "https://api.mistral.ai/v1/admin"


def headers(config: SourceConfig) -> dict[str, str]:
    """Authentication header of an admin key."""
    return {"x-api-key": config.secret("ADMIN_KEY")}


class Month(msgspec.Struct):
    """What is documented of the answer; every further field is a category of entries."""

    start_date: date
    end_date: date
    currency: str


USAGE = BY_KEY["mistral__usage"]
USAGE_BY_WORKSPACE = BY_KEY["mistral__usage_by_workspace"]
_HEAD = msgspec.json.Decoder(Month)
# Numbers keep their digits: nothing of an answer passes through a binary float.
_FIELDS = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_DEEPEST = 20

# Where an entry was found, and the entry.
Entry = tuple[tuple[str, ...], dict[str, Any]]


def fetch_usage(client: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Entries of each month. Control total in the account's currency."""
    for window in windows:
        yield _month(client, config, USAGE, window, (None,))


def fetch_usage_by_workspace(
    client: Client, config: SourceConfig, windows: Sequence[Window]
) -> Iterator[tuple[Window, Batch]]:
    """Entries of each month and listed workspace; none without a list. Control total in the account's currency."""
    workspaces = config.entries("workspaces")
    for window in windows:
        yield _month(client, config, USAGE_BY_WORKSPACE, window, workspaces)


def _month(
    client: Client, config: SourceConfig, dataset: Dataset, window: Window, workspaces: Sequence[str | None]
) -> tuple[Window, Batch]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    currencies: set[str] = set()
    for workspace in workspaces:
        head, categories = _ask(client, window, workspace, f"{dataset.key} {window.key}")
        currencies.add(head.currency.upper())
        for ordinal, (path, entry) in enumerate(_entries(categories, ()), len(rows) + len(rejects)):
            try:
                rows.append(_row(head, workspace, path, entry, config))
            except Refused as refused:
                content = digest(msgspec.json.encode(entry))
                rejects.append(Reject(ordinal, refused.reason, refused.field, refused.detail, content))
    records = table(dataset, rows)
    total = exact_sum(records.get_column("amount"))
    unit = one_currency(sorted(currencies))
    return window, Batch(records, rejects, total, unit, len(workspaces), [window.day] if rows else [])


def _ask(client: Client, window: Window, workspace: str | None, context: str) -> tuple[Month, dict[str, Any]]:
    """Head and categories of a month. Raises ContractBroken when it is another month or names no currency."""
    params = (("year", f"{window.day.year}"), ("month", f"{window.day.month}"))
    answer = client.send(Call("/usage", (*params, *((("workspace_id", workspace),) if workspace else ()))), context)
    try:
        head, fields = _HEAD.decode(answer.content), _FIELDS.decode(answer.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(context, answer.url, f"an answer that is not the documented one ({error})") from None
    if (head.start_date.year, head.start_date.month) != (window.day.year, window.day.month):
        raise _broken(context, answer.url, f"an answer about {head.start_date}")
    if not _CURRENCY.fullmatch(head.currency):
        raise _broken(context, answer.url, "an answer whose currency is no three letters")
    return head, {name: value for name, value in fields.items() if name not in Month.__struct_fields__}


def _broken(context: str, url: str, found: str) -> ContractBroken:
    return ContractBroken(
        tried=f"{context}: {url}",
        found=found,
        to_do="compare the answer with the vendor's documentation; the connector may need an update",
    )


def _entries(value: object, path: tuple[str, ...]) -> Iterator[Entry]:
    """The innermost objects with the keys and positions that lead to them. An object around others is a sum of them."""
    if len(path) > _DEEPEST:
        raise ContractBroken(tried="mistral usage", found="an answer nested without end", to_do="update the connector")
    if isinstance(value, list):
        for position, part in enumerate(value):
            yield from _entries(part, (*path, str(position)))
    elif isinstance(value, dict):
        inner = [entry for key, part in value.items() for entry in _entries(part, (*path, str(key)))]
        if inner or not path:
            yield from inner
        elif any(not isinstance(part, dict | list) for part in value.values()):
            yield path, value


def _row(head: Month, workspace: str | None, path: tuple[str, ...], entry: dict[str, Any], config: SourceConfig) -> Row:
    name = config.option("amount_field", "amount")
    keys = [key for key in path if not key.isdigit()]
    model = keys[keys.index("models") + 1] if "models" in keys[:-1] else None
    direction = keys[-1] if len(keys) > 1 and keys[-1] not in (model, "models") else None
    found = _decimal(entry.get(name), name)
    if found is None:
        raise Refused("missing_field", name, "AISL_MISTRAL_AMOUNT_FIELD names the field")
    return (
        head.start_date, head.end_date, head.currency.upper(), workspace, path[0], model, direction, "/".join(path),
        found, _decimal(entry.get(config.option("quantity_field", "quantity")), "quantity"),
    )  # fmt: skip


def _decimal(value: object, field: str) -> str | None:
    """A number, written as number or text, as plain decimal text."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Refused("wrong_type", field)
    try:
        return amount(Decimal(value), field)
    except (InvalidOperation, ValueError):
        raise Refused("not_a_number", field) from None


def _question(config: SourceConfig, yesterday: datetime) -> Call:
    return Call("/usage", (("year", f"{yesterday.year}"), ("month", f"{yesterday.month}")))


SYSTEM = System(
    "mistral",
    (Connector(USAGE, fetch_usage), Connector(USAGE_BY_WORKSPACE, fetch_usage_by_workspace)),
    Http(BASE_URL, _question, headers),
)
