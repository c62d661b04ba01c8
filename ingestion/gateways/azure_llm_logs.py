"""Azure API Management: LLM log and gateway log as dropped JSON lines, gzipped or not.

A line is told by its fields, in the spelling of the log tables or of diagnostic settings (under `properties`). Messages
are in the same lines and are never decoded.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Client
from ingestion.errors import ContractBroken
from ingestion.files.folder import gunzip, look, open_folder
from ingestion.gateways.labels import plain_name
from ingestion.records import Batch, Count, Intake, Reader, Refused, Row, Text, instant, table
from ingestion.source import SourceConfig
from ingestion.system import Connector, System
from ingestion.windows import Window, file_window

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
Line = dict[str, msgspec.Raw]
_MISSING = re.compile(r"missing required field `(\w+)`")
T = TypeVar("T", bound=msgspec.Struct)
# A duration, at most a week: a longer one is in another unit.
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=7 * 86_400_000)]


def _plain(name: str) -> str:
    return name.replace("_", "")


class LlmLine(msgspec.Struct, rename=_plain):
    """What is read of a line of the LLM log; spelling without regard to case."""

    correlation_id: Text
    time_generated: Text | None = None
    time: Text | None = None
    sequence_number: Count | None = None
    model_name: Text | None = None
    deployment_name: Text | None = None
    operation_id: Text | None = None
    region: Text | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    is_stream_completion: Any = None


class GatewayLine(msgspec.Struct, rename=_plain):
    """What is read of a line of the gateway log."""

    correlation_id: Text
    time_generated: Text | None = None
    time: Text | None = None
    apim_subscription_id: Text | None = None
    product_id: Text | None = None
    user_id: Text | None = None
    api_id: Text | None = None
    region: Text | None = None
    response_code: Count | None = None
    total_time: Milliseconds | None = None


LLM_LOG = BY_KEY["azure_llm_logs__llm_log"]
GATEWAY_LOG = BY_KEY["azure_llm_logs__gateway_log"]
_PROPERTIES = msgspec.json.Decoder(Line)


def find_files(config: SourceConfig, _: Sequence[Window]) -> list[Window]:
    """Dropped files of JSON lines."""
    return [
        file_window(f.name, f.version) for f in open_folder(config).files() if f.name.lower().endswith(SUFFIXES)
    ]


def fetch_llm_log(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Rows of the LLM log that count tokens."""
    provider = config.option("provider", "azure").lower()
    return _fetch(config, windows, LLM_LOG, lambda line, name: _llm_row(line, name, provider))


def fetch_gateway_log(_: Client, config: SourceConfig, windows: Sequence[Window]) -> Iterator[tuple[Window, Batch]]:
    """Rows of the gateway log."""
    return _fetch(config, windows, GATEWAY_LOG, _gateway_row)


def _fetch(
    config: SourceConfig, windows: Sequence[Window], dataset: Dataset, row: Callable[[Line, str], Row | None]
) -> Iterator[tuple[Window, Batch]]:
    folder = open_folder(config)
    for window in windows:
        assert window.locator is not None
        intake: Intake[Line] = Intake(Reader(Line))
        good = intake.read_lines(_text(dataset, window.locator, folder.read(window.locator)))
        rows = [values for values in intake.accept(good, row, window.locator) if values is not None]
        records = table(dataset, rows)
        days = records.get_column("time_generated").dt.date().unique().sort().to_list()
        yield window, Batch(records, intake.rejects, pages=1, days=days)


def _llm_row(line: Line, file_name: str, provider: str) -> Row | None:
    """A row that counts tokens; None for one that holds a piece of a message, or is of another log."""
    fields = _fields(line)
    if not {"sequencenumber", "prompttokens", "totaltokens"} & fields.keys():
        return None
    r = _typed(fields, LlmLine)
    if not (r.prompt_tokens or r.completion_tokens or r.total_tokens):
        return None
    return (
        r.correlation_id, r.model_name, r.deployment_name, r.operation_id, r.region, provider,
        _moment(r.time_generated or r.time), r.sequence_number or 0, r.prompt_tokens, r.completion_tokens, r.total_tokens,
        _flag(r.is_stream_completion), file_name,
    )  # fmt: skip


def _gateway_row(line: Line, file_name: str) -> Row | None:
    """A row of the gateway log; None for a line of another log."""
    fields = _fields(line)
    if not {"responsecode", "apimsubscriptionid"} & fields.keys():
        return None
    r = _typed(fields, GatewayLine)
    return (
        r.correlation_id, plain_name(r.apim_subscription_id), r.product_id, plain_name(r.user_id), r.api_id, r.region,
        _moment(r.time_generated or r.time), r.response_code, None if r.total_time is None else round(r.total_time), file_name,
    )  # fmt: skip


def _fields(line: Line) -> Line:
    """Undecoded fields by their name in lower case; those under `properties` win."""
    fields = {key.lower(): value for key, value in line.items()}
    nested = fields.pop("properties", None)
    if nested is not None:
        try:
            found = _PROPERTIES.decode(nested)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Refused("wrong_type", "properties") from None
        fields |= {key.lower(): value for key, value in found.items()}
    return fields


def _typed(fields: Line, kind: type[T]) -> T:
    """The fields that `kind` reads, decoded; the others never are."""
    names = {field.encode_name for field in msgspec.structs.fields(kind)}
    document = b",".join(msgspec.json.encode(key) + b":" + bytes(fields[key]) for key in sorted(names & fields.keys()))
    try:
        return msgspec.json.decode(b"{" + document + b"}", type=kind)
    except msgspec.ValidationError as error:
        # the message names a field, never its value
        missing = _MISSING.search(str(error))
        path = str(error).rpartition("`$.")[2].rstrip("`")
        raise Refused("missing_field" if missing else "wrong_type", missing[1] if missing else path) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("malformed", "line", type(error).__name__) from None


def _moment(text: str | None) -> datetime:
    found = instant(text, "TimeGenerated")
    if found is None:
        raise Refused("missing_value", "TimeGenerated")
    return found


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else value.lower() == "true" if isinstance(value, str) else None


def _text(dataset: Dataset, name: str, content: bytes) -> bytes:
    if not name.lower().endswith(".gz"):
        return content
    try:
        return gunzip(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ContractBroken(
            tried=f"{dataset.key}: read {name}",
            found=f"no whole gzip file ({type(error).__name__})",
            to_do="deliver the file again",
        ) from None


SYSTEM = System(
    "azure_llm_logs",
    (Connector(LLM_LOG, fetch_llm_log, find_files), Connector(GATEWAY_LOG, fetch_gateway_log, find_files)),
    look=look,
)
