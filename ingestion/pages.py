"""One small class per paging style, and `walk`, which follows any of them to the vendor's own end.

A walk that cannot be trusted raises ContractBroken: a cursor seen before, the same records as on the page before,
more promised but no cursor given, or more pages than the ceiling.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from ingestion.client import Answer, Call, Client
from ingestion.errors import ContractBroken

PAGE_CEILING = 10_000
_NEXT_LINK = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')
_EMPTY = frozenset({b"[]", b"null", b""})


class Envelope(Protocol):
    """A page's envelope: whatever its style needs, and the undecoded array of records."""

    def records(self) -> msgspec.Raw:
        """The JSON array of records as it came."""
        ...


E = TypeVar("E", bound=Envelope)


class ArrayPage(msgspec.Struct):
    """A page that is the bare array of records."""

    array: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The array."""
        return self.array


class Page(msgspec.Struct):
    """A page with the opaque token of the next."""

    data: msgspec.Raw
    has_more: bool
    next_page: str | None = None

    def records(self) -> msgspec.Raw:
        """The buckets or rows."""
        return self.data


class ListPage(msgspec.Struct):
    """A page of a list, with the id it ended on."""

    data: msgspec.Raw
    has_more: bool
    last_id: str | None = None

    def records(self) -> msgspec.Raw:
        """The listed objects."""
        return self.data


class DataPage(msgspec.Struct):
    """A page that is its records and nothing else."""

    data: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The rows."""
        return self.data


class ObjectPage(msgspec.Struct):
    """An answer about one thing: a single record, not in an array."""

    data: msgspec.Raw

    def records(self) -> msgspec.Raw:
        """The record as an array of one."""
        return msgspec.Raw(b"[" + bytes(self.data) + b"]")


class Meta(msgspec.Struct):
    """What is said beside the records of a MetaPage."""

    cursor: str | None = None


class MetaPage(msgspec.Struct):
    """A page with the cursor of the next beside its records; none at the end."""

    data: msgspec.Raw
    meta: Meta

    def records(self) -> msgspec.Raw:
        """The listed objects."""
        return self.data


class PageInfo(msgspec.Struct):
    """Where a GraphQL connection goes on."""

    hasNextPage: bool
    endCursor: str | None = None


class Connection(msgspec.Struct):
    """A GraphQL connection."""

    nodes: msgspec.Raw
    pageInfo: PageInfo


class GraphData(msgspec.Struct):
    """The data of a query whose connection goes by the alias `page`."""

    page: Connection


class GraphPage(msgspec.Struct):
    """A page of a GraphQL query. Any entry in `errors`, even beside data, is an answer that cannot be trusted."""

    data: GraphData
    errors: None = None

    def records(self) -> msgspec.Raw:
        """The nodes."""
        return self.data.page.nodes

    def page_info(self) -> PageInfo:
        """Where it goes on."""
        return self.data.page.pageInfo


class WithPageInfo(Envelope, Protocol):
    """An envelope that GraphPages can follow."""

    def page_info(self) -> PageInfo: ...


class WithNextPageToken(Protocol):
    """An envelope that NextTokenPages can follow."""

    @property
    def nextPageToken(self) -> str | None: ...

    @property
    def isLast(self) -> bool | None: ...


class WithPageNumber(Protocol):
    """An envelope that NumberedPages can follow."""

    @property
    def page(self) -> int | None: ...

    @property
    def total_pages(self) -> int: ...


class WithOffset(Envelope, Protocol):
    """An envelope that OffsetPages can follow."""

    @property
    def isLast(self) -> bool: ...


F = TypeVar("F", contravariant=True)


class Style(Protocol[F]):
    """How the next page is asked for: the next call, or None at the vendor's end."""

    def following(self, call: Call, envelope: F, answer: Answer) -> tuple[Call, str] | None: ...


class _Unguided(Exception):
    """More is promised without saying where."""


@dataclass(frozen=True)
class TokenPages:
    """Opaque `next_page` token, sent back as a query parameter; ends when `has_more` is false."""

    param: str = "page"

    def following(self, call: Call, envelope: Page, answer: Answer) -> tuple[Call, str] | None:
        if not envelope.has_more:
            return None
        if not envelope.next_page:
            raise _Unguided
        return call.with_param(self.param, envelope.next_page), envelope.next_page


@dataclass(frozen=True)
class CursorPages:
    """The last id of the page is the cursor of the next; ends when `has_more` is false."""

    param: str

    def following(self, call: Call, envelope: ListPage, answer: Answer) -> tuple[Call, str] | None:
        if not envelope.has_more:
            return None
        if not envelope.last_id:
            raise _Unguided
        return call.with_param(self.param, envelope.last_id), envelope.last_id


@dataclass(frozen=True)
class MetaCursorPages:
    """`meta.cursor`, sent back as a query parameter; ends when there is none."""

    param: str = "cursor"

    def following(self, call: Call, envelope: MetaPage, answer: Answer) -> tuple[Call, str] | None:
        cursor = envelope.meta.cursor
        return (call.with_param(self.param, cursor), cursor) if cursor else None


@dataclass(frozen=True)
class GraphPages:
    """Relay paging: `endCursor` is sent back as the variable `after`; ends when `hasNextPage` is false."""

    def following(self, call: Call, envelope: WithPageInfo, answer: Answer) -> tuple[Call, str] | None:
        info = envelope.page_info()
        if not info.hasNextPage:
            return None
        if not info.endCursor:
            raise _Unguided
        variables = {**(call.body or {}).get("variables", {}), "after": info.endCursor}
        return call.with_body("variables", variables), info.endCursor


@dataclass(frozen=True)
class LinkPages:
    """`Link: <url>; rel="next"` header; ends when it is absent."""

    def following(self, call: Call, envelope: object, answer: Answer) -> tuple[Call, str] | None:
        found = _NEXT_LINK.search(answer.headers.get("link", ""))
        return (Call(found.group(1)), found.group(1)) if found else None


@dataclass(frozen=True)
class NextTokenPages:
    """`nextPageToken` in query or JSON body; ends when it is missing or `isLast` is true. Pages may be empty."""

    in_body: bool = False

    def following(self, call: Call, envelope: WithNextPageToken, answer: Answer) -> tuple[Call, str] | None:
        token = envelope.nextPageToken
        if envelope.isLast is True or (not token and envelope.isLast is None):
            return None
        if not token:
            raise _Unguided
        following = call.with_body if self.in_body else call.with_param
        return following("nextPageToken", token), token


@dataclass(frozen=True)
class NumberedPages:
    """Page number counted from 1, in query or JSON body; ends after `total_pages`. `page` is None where it is not echoed."""

    param: str = "page"
    in_body: bool = False

    def following(self, call: Call, envelope: WithPageNumber, answer: Answer) -> tuple[Call, str] | None:
        asked = int((call.body or {} if self.in_body else dict(call.params)).get(self.param, 1))
        if envelope.page is not None and envelope.page != asked:
            raise _Misnumbered(asked, envelope.page)
        if asked >= envelope.total_pages:
            return None
        if self.in_body:
            return call.with_body(self.param, asked + 1), str(asked + 1)
        return call.with_param(self.param, str(asked + 1)), str(asked + 1)


@dataclass(frozen=True)
class OffsetPages:
    """`startAt` counted in records; ends when `isLast` is true or nothing came."""

    def following(self, call: Call, envelope: WithOffset, answer: Answer) -> tuple[Call, str] | None:
        got = len(msgspec.json.decode(envelope.records(), type=list[msgspec.Raw]))
        if envelope.isLast or not got:
            return None
        following = str(int(dict(call.params).get("startAt", "0")) + got)
        return call.with_param("startAt", following), following


@dataclass(frozen=True)
class SkipPages:
    """Number of records to skip; ends when nothing came."""

    param: str = "offset"

    def following(self, call: Call, envelope: Envelope, answer: Answer) -> tuple[Call, str] | None:
        got = len(msgspec.json.decode(envelope.records(), type=list[msgspec.Raw]))
        following = str(int(dict(call.params).get(self.param, "0")) + got)
        return (call.with_param(self.param, following), following) if got else None


@dataclass(frozen=True)
class OnePage:
    """All there is in one answer."""

    def following(self, call: Call, envelope: Envelope, answer: Answer) -> None:
        return None


class _Misnumbered(Exception):
    def __init__(self, asked: int, got: int) -> None:
        super().__init__(f"page {asked} was asked for, page {got} came")


def walk(
    client: Client,
    call: Call,
    style: Style[E],
    envelope_type: type[E],
    context: str,
    *,
    ceiling: int = PAGE_CEILING,
) -> Iterator[E]:
    """Every page of a call, decoded to its envelope, until the vendor says stop. Raises ContractBroken, see above."""
    decode = _decoder(envelope_type)
    seen: set[str] = set()
    before: bytes | None = None
    for number in range(1, ceiling + 1):
        answer = client.send(call, context)
        envelope = _envelope(decode, answer, context)
        content = bytes(envelope.records())
        digest = hashlib.sha256(content).digest()
        if digest == before and content.strip() not in _EMPTY:
            raise _broken(answer, context, f"page {number} repeats the records of page {number - 1}")
        before = digest
        yield envelope
        try:
            following = style.following(call, envelope, answer)
        except _Unguided:
            raise _broken(answer, context, f"page {number} promises more but gives no cursor") from None
        except (_Misnumbered, msgspec.MsgspecError) as error:
            raise _broken(answer, context, str(error)) from None
        if following is None:
            return
        call, cursor = following
        if cursor in seen:
            raise _broken(answer, context, f"page {number} points back to a page already read")
        seen.add(cursor)
    raise ContractBroken(
        tried=context,
        found=f"more than {ceiling} pages and no end",
        to_do="ask for a shorter range, or raise the page ceiling if the volume is real",
    )


_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def _decoder(envelope_type: type[E]) -> Callable[[bytes], E]:
    if issubclass(envelope_type, ArrayPage):
        return partial(_decode_array, envelope_type)
    return msgspec.json.Decoder(envelope_type).decode


def _decode_array(array_page: Callable[[msgspec.Raw], E], content: bytes) -> E:
    _ARRAY.decode(content)
    return array_page(msgspec.Raw(content))


def _envelope(decode: Callable[[bytes], E], answer: Answer, context: str) -> E:
    """The envelope of an answer; ContractBroken when it is not JSON or not that envelope."""
    try:
        return decode(answer.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        size = len(answer.content)
        found = f"an answer of {size} bytes that is not the documented page ({error})"
        raise _broken(answer, context, found) from None


def _broken(answer: Answer, context: str, found: str) -> ContractBroken:
    return ContractBroken(
        tried=f"{context}: {answer.url}",
        found=found,
        to_do="compare the answer with the vendor's documentation; the connector may need an update",
    )
