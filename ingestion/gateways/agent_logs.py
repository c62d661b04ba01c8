"""Session logs of local coding agents: which model answered whom, where, with how many tokens. Texts are never decoded.

While an answer streams, its line is written again and again under the same ids: the fullest one is its usage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

import msgspec

from ingestion.catalog import BY_KEY
from ingestion.client import Client
from ingestion.errors import ContractBroken
from ingestion.files.folder import look, open_folder
from ingestion.gateways.labels import plain_name
from ingestion.gateways.otlp import find_files
from ingestion.gateways.usage import ProviderAnswer, TokenClasses, Usage, of_answer, of_usage
from ingestion.records import Batch, Reader, Refused, Reject, Row, amount, digest, exact_sum, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window

ANSWERS = BY_KEY["agent_logs__answers"]
SUFFIXES = (".jsonl", ".ndjson")
# A line that the agent wrote itself, without a model.
_SYNTHETIC = "<synthetic>"
_REMOTE = re.compile(r"[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")


_ABSENT = msgspec.Raw(b"null")


class Line(msgspec.Struct):
    """One line of any layout; what only one layout has stays undecoded until the layout is known."""

    type: str | None = None
    timestamp: str | None = None
    sessionId: str | None = None
    session: str | None = None
    cwd: str | None = None
    gitBranch: str | None = None
    branch: str | None = None
    requestId: str | None = None
    uuid: str | None = None
    isSidechain: bool | None = None
    costUSD: Decimal | None = None
    message: msgspec.Raw = _ABSENT
    payload: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT


class Message(msgspec.Struct):
    """Claude Code: an answer of the model."""

    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = _ABSENT


class Git(msgspec.Struct):
    """Codex: where a session works."""

    branch: str | None = None
    repository_url: str | None = None


class TokenInfo(msgspec.Struct):
    """Codex: usage of the session so far and of its last answer."""

    total_token_usage: Usage | None = None
    last_token_usage: Usage | None = None


class Payload(msgspec.Struct):
    """Codex: what a line is about."""

    type: str | None = None
    id: str | None = None
    cwd: str | None = None
    model: str | None = None
    model_provider: str | None = None
    git: Git | None = None
    info: TokenInfo | None = None


@dataclass(frozen=True)
class Answer:
    """One answer of a model, as far as it is kept."""

    answer_id: str
    response_id: str | None
    request_id: str | None
    agent: str
    provider: str | None
    model: str | None
    session: str | None
    repo: str | None
    branch: str | None
    tier: str | None
    is_sidechain: bool
    ended: datetime
    classes: TokenClasses
    cost: str | None = None
    lines: int = 1


@dataclass
class Session:
    """What the lines of a Codex session have said so far."""

    session: str | None = None
    model: str | None = None
    provider: str | None = None
    repo: str | None = None
    branch: str | None = None
    total: TokenClasses | None = None
    restarts: int = 0


_PROVIDERS = {"claude": "anthropic", "gpt": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "gemini": "google", "grok": "x-ai"}
_READER = Reader(Line)
_MESSAGE = msgspec.json.Decoder(Message)
_USAGE = msgspec.json.Decoder(Usage)
_PAYLOAD = msgspec.json.Decoder(Payload)
_RESPONSE = msgspec.json.Decoder(ProviderAnswer)


@dataclass
class _File:
    """Reading one session log."""

    owner: str
    session: Session = field(default_factory=Session)
    answers: dict[str, Answer] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    def read(self, ordinal: int, content: bytes) -> None:
        """One line: an answer, something about the session, or nothing of use."""
        try:
            good, bad = _READER.read(msgspec.Raw(b"[" + content + b"]"), "line", ordinal)
        except ContractBroken:
            self.rejects.append(Reject(ordinal, "malformed", None, "no JSON object", digest(content)))
            return
        self.rejects += bad
        for _, line in good:
            try:
                answer = self._answer(line)
            except Refused as refused:
                self.rejects.append(Reject(ordinal, refused.reason, refused.field, refused.detail, digest(content)))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                detail = str(error).split(" - at ")[0]
                named = detail if "'" not in detail and '"' not in detail else None
                self.rejects.append(Reject(ordinal, "wrong_type", "message", named, digest(content)))
            else:
                if answer is not None:
                    self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        before = self.answers.get(answer.answer_id)
        if before is not None:
            fuller = answer if answer.classes.total >= before.classes.total else before
            answer = replace(fuller, lines=before.lines + 1)
        self.answers[answer.answer_id] = answer

    def _answer(self, line: Line) -> Answer | None:
        if line.response != _ABSENT:
            return self._plain(line, _RESPONSE.decode(line.response))
        if line.type == "assistant" and line.message != _ABSENT:
            return self._claude_code(line, _MESSAGE.decode(line.message))
        if line.payload != _ABSENT and line.type in ("session_meta", "turn_context", "event_msg"):
            return self._codex(line, _PAYLOAD.decode(line.payload))
        return None

    def _claude_code(self, line: Line, message: Message) -> Answer | None:
        if message.usage == _ABSENT or message.model == _SYNTHETIC:
            return None
        usage = _USAGE.decode(message.usage)
        named = (message.id, line.requestId)
        answer_id = " ".join(n for n in named if n) or line.uuid
        if not answer_id:
            raise Refused("missing_field", "message.id")
        return Answer(
            answer_id, message.id, line.requestId, "claude_code", _provider(message.model), message.model, plain_name(line.sessionId),
            self._repo(line.cwd), plain_name(line.gitBranch), plain_name(usage.service_tier), bool(line.isSidechain), _moment(line),
            of_usage(usage), amount(line.costUSD, "costUSD"),
        )  # fmt: skip

    def _codex(self, line: Line, payload: Payload) -> Answer | None:
        known = self.session
        if line.type == "session_meta":
            known.session = plain_name(payload.id) or known.session
            known.provider = payload.model_provider or known.provider
            known.repo = self._repo(payload.cwd) or known.repo
            if payload.git:
                known.branch = plain_name(payload.git.branch)
                remote = _REMOTE.search(payload.git.repository_url or "")
                known.repo = remote.group(1) if remote else known.repo
        elif line.type == "turn_context":
            known.model = payload.model or known.model
        elif payload.type == "token_count" and payload.info and payload.info.total_token_usage:
            total = of_usage(payload.info.total_token_usage)
            before = known.total
            if before == total:
                # the same count is told again, as with a change of rate limits
                return None
            if before is not None and total.total < before.total:
                known.restarts += 1
                before = None
            known.total = total
            last = payload.info.last_token_usage
            classes = of_usage(last) if last else _difference(total, before)
            if not classes.total:
                return None
            answer_id = f"{known.session or self.owner}:{known.restarts}:{total.total}:{total.output}"
            return Answer(
                answer_id, None, None, "codex", known.provider or "openai", known.model, known.session, known.repo, known.branch,
                None, False, _moment(line), classes,
            )  # fmt: skip
        return None

    def _plain(self, line: Line, answer: ProviderAnswer) -> Answer:
        model = answer.model or answer.modelVersion
        response_id = answer.id or answer.responseId
        classes = of_answer(answer)
        moment = _moment(line)
        return Answer(
            response_id or digest(f"{line.session}|{moment.isoformat()}|{model}|{classes}")[:24], response_id, line.requestId, "provider_answer",
            _provider(model), model, plain_name(line.session), self._repo(line.cwd), plain_name(line.branch), None, False, moment, classes,
            amount(answer.usage.cost_usd, "usage.cost_in_usd_ticks") if answer.usage else None,
        )  # fmt: skip

    def _repo(self, folder: str | None) -> str | None:
        """The last name of a working folder, behind its owner where one is configured; the path itself says who works there."""
        name = re.split(r"[\\/]", (folder or "").rstrip("\\/"))[-1]
        if not (kept := plain_name(name)):
            return None
        return f"{self.owner}/{kept}" if self.owner else kept


def find(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Every dropped session log."""
    return find_files(config, SUFFIXES)


def fetch_answers(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Answers of each session log. Control total in dollars where the agent estimated them."""
    folder = open_folder(config)
    for window in windows:
        name = window.locator or ""
        read = _File(config.option("repo_owner"))
        for ordinal, content in enumerate(folder.read(name).split(b"\n")):
            if content.strip():
                read.read(ordinal, content)
        developer = plain_name(name.split("/")[0]) if "/" in name else None
        rows = [_row(a, developer, name) for a in read.answers.values()]
        records = table(ANSWERS, rows)
        total = exact_sum(records.get_column("cost_usd"))
        days: list[date] = sorted(records.get_column("ended_at").dt.date().unique().to_list())
        yield window, Batch(records, read.rejects, total, "USD", 1, days)


def _row(a: Answer, developer: str | None, name: str) -> Row:
    return (
        a.answer_id,
        a.response_id,
        a.request_id,
        a.agent,
        a.provider,
        a.model,
        a.session,
        developer,
        a.repo,
        a.branch,
        a.tier,
        a.is_sidechain,
        a.ended,
        *a.classes,
        a.lines,
        a.cost,
        name.rpartition("/")[2],
    )


def _provider(model: str | None) -> str | None:
    return next((provider for prefix, provider in _PROVIDERS.items() if (model or "").lower().startswith(prefix)), None)


def _moment(line: Line) -> datetime:
    moment = instant(line.timestamp, "timestamp")
    if moment is None:
        raise Refused("missing_field", "timestamp")
    return moment


def _difference(total: TokenClasses, before: TokenClasses | None) -> TokenClasses:
    """What a session's counts grew by."""
    if before is None:
        return total
    grown = [now - then for now, then in zip(total[:6], before[:6], strict=True)]
    if min(grown) < 0:
        raise Refused("contradiction", "total_token_usage", "counts of a session that shrink")
    return TokenClasses(*grown)


SYSTEM = System("agent_logs", (Connector(ANSWERS, fetch_answers, find),), look=look)
