"""The only socket to HTTP sources: timeouts, retries with Retry-After, same-origin rule, redaction.

What a vendor answers is returned as bytes; its meaning belongs to `pages` and `records`.
"""

from __future__ import annotations

import email.utils
import functools
import random
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import tenacity

from ingestion.errors import ContractBroken, RequestRejected, SourceUnavailable

USER_AGENT = "ai-spend-ledger/0.1 (batch ingestion; read-only)"
# What says how much may still be asked, and when again: GitHub's, GitLab's and Linear's spelling.
_LIMIT_HEADERS = ("x-ratelimit", "ratelimit", "x-ratelimit-requests", "x-ratelimit-complexity")
RETRIED_STATUS = frozenset({429, 500, 502, 503, 504, 529})
MAX_TRIES = 8
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
# A vendor that asks for more patience than this is reported instead of waited for.
LONGEST_RETRY_AFTER = 900.0
_HIDDEN_QUERY = re.compile(r"(?i)([?&](?:[a-z_-]*(?:key|token|secret|signature|password)[a-z_-]*)=)[^&\s]+")
_PLAIN_CODE = re.compile(r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$")

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Call:
    """One request: path below the base URL (or an absolute URL of the same origin), query, JSON body."""

    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None
    method: str = "GET"

    def with_param(self, name: str, value: str) -> Call:
        """The call with that query parameter set, an older value replaced."""
        kept = tuple(p for p in self.params if p[0] != name)
        return Call(self.path, (*kept, (name, value)), self.body, self.method)

    def with_body(self, name: str, value: Any) -> Call:
        """The call with that key of the JSON body set."""
        return Call(self.path, self.params, {**(self.body or {}), name: value}, self.method)


@dataclass(frozen=True)
class Answer:
    """A successful answer: undecoded body, headers, and the redacted URL for messages."""

    content: bytes
    headers: Mapping[str, str]
    url: str


class _Passing(Exception):
    """An answer worth another try. `wait`: what the vendor asked for, in seconds, or None."""

    def __init__(self, found: str, wait: float | None = None) -> None:
        super().__init__(found)
        self.found = found
        self.wait = wait


@dataclass
class Client:
    """One source's HTTP client. `secrets` are removed from every message; `sleep`, `now` and `jitter` are for tests.

    With `requests_per_minute` requests are spread evenly, so that a vendor's limit is kept rather than run into.
    Close it, or use it as a context manager. Requests are made one after the other.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    tries: int = MAX_TRIES
    requests_per_minute: float | None = None
    proxy: str | None = None
    ca_bundle: str | None = None
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    jitter: Callable[[float, float], float] = random.uniform
    requests: int = 0
    retries: int = 0

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")
        self._http: httpx2.Client | None = None
        self._next_at: datetime | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def send(self, call: Call, context: str = "") -> Answer:
        """The answer to a call, after retries.

        Raises SourceUnavailable when tries or the vendor's patience run out, RequestRejected on a refusal, and
        ContractBroken when the vendor says the endpoint is gone or points to another origin.
        """
        url = self._url(call, context)
        shown = self.redact(str(httpx2.URL(url).copy_merge_params(list(call.params)) if call.params else url))
        tried = f"{context + ': ' if context else ''}{call.method} {shown}"

        def once() -> Answer:
            return self._once(call, url, shown, tried)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Passing),
            stop=tenacity.stop_after_attempt(self.tries),
            wait=self._wait,
            sleep=self._pause,
            reraise=True,
        )
        try:
            return retrying(once)
        except _Passing as last:
            raise SourceUnavailable(
                tried=f"{tried} ({self.tries} times)",
                found=last.found,
                to_do="run again later; if it lasts, check the vendor's status page and the network",
            ) from None

    def redact(self, text: str) -> str:
        """Text without this client's secrets and without secret-looking query values."""
        for secret in sorted((s for s in self.secrets if len(s) > 3), key=len, reverse=True):
            text = text.replace(secret, "***")
        return _HIDDEN_QUERY.sub(r"\1***", text)

    def _url(self, call: Call, context: str) -> str:
        if not call.path.startswith(("http://", "https://")):
            return self.base_url + call.path
        if _origin(call.path) != _origin(self.base_url):
            raise ContractBroken(
                tried=f"{context or 'request'}: follow a link of the vendor",
                found=f"it points to another origin ({_origin(call.path)}), credentials are not sent there",
                to_do="set the base URL of this source to the origin the vendor's links use",
            )
        return call.path

    def _once(self, call: Call, url: str, shown: str, tried: str) -> Answer:
        for _hop in range(4):
            self._keep_pace()
            self.requests += 1
            try:
                response = self._open().request(
                    call.method,
                    url,
                    params=list(call.params) or None,
                    json=call.body,
                    auth=self.auth,
                )
            except httpx2.TransportError as error:
                raise _Passing(f"no complete answer ({type(error).__name__})") from None
            except httpx2.DecodingError:
                raise _Passing("an answer whose compression cannot be read") from None
            if response.status_code not in (301, 302, 307, 308) or call.method != "GET":
                break
            location = str(httpx2.URL(url).join(response.headers.get("location", "")))
            url, call = self._url(Call(location), tried), Call(location)
        return self._judge(response, shown, tried)

    def _judge(self, response: httpx2.Response, shown: str, tried: str) -> Answer:
        status = response.status_code
        if 200 <= status < 300:
            return Answer(response.content, response.headers, shown)
        found = f"HTTP {status}{_error_code(response)}"
        wait = self._asked_wait(response.headers)
        if status in RETRIED_STATUS or (status == 403 and wait is not None) or (status == 400 and _is_over_limit(response)):
            if wait is not None and wait > LONGEST_RETRY_AFTER:
                raise SourceUnavailable(
                    tried=tried, found=f"{found}, asking to wait {wait:.0f} s", to_do="run again after that time"
                )
            raise _Passing(found, wait)
        if status in (401, 403):
            to_do = "check that the credential is set, not expired, of the admin kind and allowed to read this"
            raise RequestRejected(tried=tried, found=found, to_do=to_do)
        if status == 410:
            raise ContractBroken(tried=tried, found=found, to_do="the vendor removed this endpoint: update the connector")
        to_do = "check base URL, names in the settings (repository, project, bucket) and permissions"
        raise RequestRejected(tried=tried, found=found, to_do=to_do)

    def _asked_wait(self, headers: Mapping[str, str]) -> float | None:
        """Seconds the vendor asks to wait: Retry-After as seconds or date, else the reset time of a used-up limit."""
        asked = headers.get("retry-after")
        if asked is not None:
            if re.fullmatch(r"\s*\d{1,9}(\.\d{1,6})?\s*", asked):
                return float(asked)
            try:
                moment = email.utils.parsedate_to_datetime(asked)
            except ValueError:
                return None
            return max(0.0, (_aware(moment) - self.now()).total_seconds())
        for limit in _LIMIT_HEADERS:
            reset = headers.get(f"{limit}-reset", "")
            if headers.get(f"{limit}-remaining") == "0" and reset.isdigit():
                # 12 digits are milliseconds
                seconds = int(reset) / 1000 if len(reset) >= 12 else int(reset)
                return max(0.0, seconds - self.now().timestamp())
        return None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Passing) and error.wait is not None:
            return error.wait + self.jitter(0.0, min(0.25, error.wait))
        return self.jitter(0.0, min(LONGEST_WAIT, FIRST_WAIT * 2**state.attempt_number))

    def _pause(self, seconds: float) -> None:
        self.retries += 1
        self.sleep(seconds)

    def _keep_pace(self) -> None:
        if self.requests_per_minute is None:
            return
        early = (self._next_at - self.now()).total_seconds() if self._next_at else 0.0
        if early > 0:
            self.sleep(early)
        self._next_at = self.now() + timedelta(seconds=60 / self.requests_per_minute)

    def _open(self) -> httpx2.Client:
        if self._http is None:
            self._http = httpx2.Client(
                headers={"User-Agent": USER_AGENT, "Accept": "application/json", **self.headers},
                timeout=httpx2.Timeout(self.read_timeout, connect=self.connect_timeout),
                follow_redirects=False,
                trust_env=False,
                proxy=self.proxy,
                verify=_trusted(self.ca_bundle),
            )
        return self._http


@functools.cache
def _trusted(ca_bundle: str | None) -> ssl.SSLContext:
    """Who may answer: the usual authorities, or those of a file. Reading them takes longer than most answers."""
    return ssl.create_default_context(cafile=ca_bundle) if ca_bundle else httpx2.create_ssl_context(trust_env=False)


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx2.URL(url)
    return parsed.scheme, parsed.host, parsed.port or {"https": 443, "http": 80}.get(parsed.scheme)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_over_limit(response: httpx2.Response) -> bool:
    """GraphQL vendors may answer 400 to a client that asks too much; the body says so."""
    try:
        return "RATELIMITED" in _graphql_codes(msgspec.json.decode(response.content))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _graphql_codes(body: Any) -> list[Any]:
    """`extensions.code` of each entry in a body's `errors`."""
    errors = body.get("errors") if isinstance(body, dict) else None
    extensions = [e.get("extensions") for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    return [e.get("code") for e in extensions if isinstance(e, dict)]


def _error_code(response: httpx2.Response) -> str:
    """The vendor's error type or code, when it is a plain word. Its prose is left out: it may quote a key or a text."""
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return ""
    error = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    words = [error.get("type"), error.get("code"), *_graphql_codes(error)]
    plain = [w for w in words if isinstance(w, str) and _PLAIN_CODE.match(w)]
    return f" ({', '.join(dict.fromkeys(plain))})" if plain else ""
