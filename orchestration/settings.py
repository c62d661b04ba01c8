"""Settings of one home: the only module that reads the environment.

Everything else receives a `Settings` object. Secrets stay inside it and are never part of its text form.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from ingestion.catalog import SOURCES
from ingestion.source import SourceConfig

Profile = Literal["sandbox", "samples", "production"]
PROFILES: tuple[Profile, ...] = ("sandbox", "samples", "production")
PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT = PROJECT_ROOT / "dbt_project"

# The real bills of the samples profile end in 2024; a fixed clock makes that snapshot the same on every machine.
_SAMPLES_AS_OF = "2024-11-15T06:00:00Z"
_SAMPLES_START = "2024-09-01"
_LAKE_S3_FIELDS = ("endpoint_url", "region", "access_key_id", "secret_access_key", "session_token")


class SettingsError(ValueError):
    """A setting is missing or unreadable. The message names the variable and what it should look like."""


@dataclass(frozen=True)
class Variable:
    """One row of the table of variables in the README."""

    name: str
    default: str
    meaning: str


GENERAL_VARIABLES: tuple[Variable, ...] = (
    Variable("AISL_PROFILE", "sandbox", "`sandbox` (invented company), `samples` (real sample bills) or `production`"),
    Variable("AISL_HOME", "`.` for sandbox, else `profiles/<profile>`", "Folder of lake, warehouse, snapshots and logs"),
    Variable("AISL_LAKE_URL", "`<home>/lake`", "Another place for the raw lake: a folder or `s3://bucket/prefix`"),
    Variable("AISL_LAKE_ENDPOINT_URL", "AWS", "Address of the S3 API of an `s3://` lake"),
    Variable("AISL_LAKE_REGION", "us-east-1", "Region of an `s3://` lake"),
    Variable("AISL_LAKE_ACCESS_KEY_ID", "boto3's own search", "Access key of an `s3://` lake"),
    Variable("AISL_LAKE_SECRET_ACCESS_KEY", "boto3's own search", "Secret key of an `s3://` lake"),
    Variable("AISL_LAKE_SESSION_TOKEN", "none", "Session token of an `s3://` lake"),
    Variable("AISL_AS_OF", "now", "The one clock of a run: ISO instant in UTC, such as `2026-11-20T06:00:00Z`"),
    Variable("AISL_START_DATE", "first of the month, three months back", "First charge day asked from the sources"),
    Variable("AISL_ACCOUNTS_FILE", "`accounts.toml`", "Several accounts of a vendor; it names variables, never values"),
    Variable("AISL_REPORTING_CURRENCY", "USD", "Currency of the reporting columns"),
    Variable("AISL_MEMORY_LIMIT", "4GB", "Memory that DuckDB may use"),
    Variable("AISL_THREADS", "2", "Threads that DuckDB may use"),
    Variable("AISL_COMPANY_SEEDS", "`seeds/company/<profile>`", "Folder of the company's own facts (teams, budgets, ...)"),
    Variable("AISL_ALERT_WEBHOOK_URL", "off", "Address (a secret) that is told of each change of a budget alert, once"),
    Variable("AISL_ALERT_WEBHOOK_FORMAT", "json", "`json` (flat) or `slack` (text and blocks)"),
    Variable("AISL_SNAPSHOTS_TO_KEEP", "7", "Published snapshots kept beside the current one"),
    Variable("AISL_SAMPLES_PATH", "`tests/fixtures/samples`", "Folder of the dropped files of the samples profile"),
)


@dataclass(frozen=True)
class Settings:
    """Everything a run may depend on beside the data. Instants are UTC, days are charge days."""

    profile: Profile
    home: Path
    lake_url: str
    as_of: datetime
    is_clock_fixed: bool
    start_date: date
    reporting_currency: str
    memory_limit: str
    threads: int
    snapshots_to_keep: int
    company_seeds: str | None
    lake_s3: Mapping[str, str | None] = field(repr=False)
    accounts: tuple[SourceConfig, ...]
    alert_webhook_url: str | None = field(default=None, repr=False)
    alert_webhook_format: str = "json"

    @property
    def last_complete_day(self) -> date:
        """The last charge day that has fully passed at `as_of`."""
        return self.as_of.date() - timedelta(days=1)

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse" / "warehouse.duckdb"

    @property
    def spill_dir(self) -> Path:
        return self.home / "warehouse" / "spill"

    @property
    def published_dir(self) -> Path:
        return self.home / "published"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster_home"

    @property
    def dbt_target_dir(self) -> Path:
        """dbt's artefacts of this home: two homes never share a parsed project."""
        return self.home / "dbt_target"

    @property
    def derived_dir(self) -> str:
        """Where results of forecasting live in the lake."""
        return f"{self.lake_url.rstrip('/')}/derived/forecasting"

    @cached_property
    def accounts_by_source(self) -> dict[str, tuple[SourceConfig, ...]]:
        return {s: tuple(a for a in self.accounts if a.source == s) for s in SOURCES}

    @property
    def sources_off(self) -> list[str]:
        """Sources of the catalog without any account that has all it needs."""
        return [s for s, accounts in self.accounts_by_source.items() if not any(a.is_on() for a in accounts)]

    def dbt_environment(self) -> dict[str, str]:
        """Variables that profiles.yml and dbt_project.yml read; set only around an invocation."""
        seeds = {"AISL_COMPANY_SEEDS": self.company_seeds} if self.company_seeds else {}
        return seeds | {
            "AISL_PROFILE": self.profile,
            "AISL_WAREHOUSE_PATH": str(self.warehouse_path),
            "AISL_WAREHOUSE_TEMP": str(self.spill_dir),
            "AISL_WAREHOUSE_THREADS": str(self.threads),
            "AISL_MEMORY_LIMIT": self.memory_limit,
            "AISL_DBT_TARGET_PATH": str(self.dbt_target_dir),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every secret known, for checks that nothing written contains one."""
        others = [*(self.lake_s3[f] for f in ("secret_access_key", "session_token")), self.alert_webhook_url]
        return tuple(v for v in [*(v for a in self.accounts for v in a.secrets.values()), *others] if v)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process environment).

    Raises SettingsError with the variable's name, what was found and what is expected.
    """
    env = os.environ if environ is None else environ
    profile = env.get("AISL_PROFILE") or "sandbox"
    if profile not in PROFILES:
        raise SettingsError(f"AISL_PROFILE is {profile!r}; it must be one of {', '.join(PROFILES)}")
    default_home = "." if profile == "sandbox" else f"profiles/{profile}"
    home = (PROJECT_ROOT / Path(env.get("AISL_HOME") or default_home).expanduser()).resolve()
    is_samples = profile == "samples"
    style = env.get("AISL_ALERT_WEBHOOK_FORMAT") or "json"
    if style not in ("json", "slack"):
        raise SettingsError(f"AISL_ALERT_WEBHOOK_FORMAT is {style!r}; it must be json or slack")
    as_of = _instant("AISL_AS_OF", env.get("AISL_AS_OF") or (_SAMPLES_AS_OF if is_samples else None))
    start = _day("AISL_START_DATE", env.get("AISL_START_DATE") or (_SAMPLES_START if is_samples else None))
    return Settings(
        profile=cast(Profile, profile),
        home=home,
        lake_url=env.get("AISL_LAKE_URL") or str(home / "lake"),
        as_of=as_of,
        is_clock_fixed=is_samples or bool(env.get("AISL_AS_OF")),
        start_date=start or _months_back(as_of.date(), 3),
        reporting_currency=env.get("AISL_REPORTING_CURRENCY") or "USD",
        memory_limit=env.get("AISL_MEMORY_LIMIT") or "4GB",
        threads=_positive("AISL_THREADS", env.get("AISL_THREADS") or "2"),
        snapshots_to_keep=_positive("AISL_SNAPSHOTS_TO_KEEP", env.get("AISL_SNAPSHOTS_TO_KEEP") or "7"),
        company_seeds=env.get("AISL_COMPANY_SEEDS") or None,
        lake_s3={f: env.get(f"AISL_LAKE_{f.upper()}") or None for f in _LAKE_S3_FIELDS},
        accounts=_accounts(env, cast(Profile, profile)),
        alert_webhook_url=env.get("AISL_ALERT_WEBHOOK_URL") or None,
        alert_webhook_format=style,
    )


def _accounts(env: Mapping[str, str], profile: Profile) -> tuple[SourceConfig, ...]:
    declared = _declared_accounts(env)
    found: list[SourceConfig] = []
    for source in SOURCES:
        rows: list[dict[str, object]] = [row for row in declared if row["source"] == source]
        if not rows or profile == "samples":
            rows = [{"source": source, "name": env.get(f"AISL_{source.upper()}_ACCOUNT") or "default"}]
        found.extend(_account(env, profile, row) for row in rows)
    return tuple(found)


def _account(env: Mapping[str, str], profile: Profile, row: Mapping[str, object]) -> SourceConfig:
    source, name = str(row["source"]), str(row["name"])
    if profile == "samples":
        folder = (PROJECT_ROOT / (env.get("AISL_SAMPLES_PATH") or "tests/fixtures/samples")).resolve()
        options = {"location": str(folder)} if source == "files" else {}
        return SourceConfig(source, name, options=options, enabled=source in ("files", "prices"))
    prefix = f"AISL_{source.upper()}_"
    fields = SOURCES[source].secrets
    variables = {f: f"{prefix}{f}" for f in fields} | dict(cast(Mapping[str, str], row.get("secrets", {})))
    unknown = sorted(set(variables) - set(fields))
    if unknown:
        raise SettingsError(f"accounts file: {source} has no secret called {', '.join(unknown)}; it has {fields}")
    options = {
        k.removeprefix(prefix).lower(): v
        for k, v in env.items()
        if k.startswith(prefix) and v and k.removeprefix(prefix) not in (*fields, "ACCOUNT")
    }
    options |= {k: str(v) for k, v in cast(Mapping[str, object], row.get("options", {})).items()}
    return SourceConfig(
        source=source,
        account=name,
        base_url=options.pop("base_url", None),
        secrets={f: env[v] for f, v in variables.items() if env.get(v)},
        options=options,
    )


def _declared_accounts(env: Mapping[str, str]) -> list[dict[str, object]]:
    named = env.get("AISL_ACCOUNTS_FILE")
    path = PROJECT_ROOT / (named or "accounts.toml")
    if not path.is_file():
        if named:
            raise SettingsError(f"AISL_ACCOUNTS_FILE is {named!r}, but there is no such file")
        return []
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("account", [])
    for row in rows:
        if row.get("source") not in SOURCES or not re.fullmatch(r"[A-Za-z0-9_.-]+", str(row.get("name", ""))):
            raise SettingsError(f"{path.name}: every [[account]] needs a source of {tuple(SOURCES)} and a plain name: {row}")
        for variable in row.get("secrets", {}).values():
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", str(variable)):
                raise SettingsError(f"{path.name}: secrets name environment variables, never values ({row['name']})")
    return rows


def _instant(name: str, text: str | None) -> datetime:
    if not text:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}; expected an ISO instant such as 2026-11-20T06:00:00Z") from error
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}; expected a day such as 2026-09-01") from error


def _positive(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} is {text!r}; expected a whole number of at least 1")
    return int(text)


def _months_back(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def variables() -> list[Variable]:
    """Every variable the project reads, general ones first, then by source."""
    rows = list(GENERAL_VARIABLES)
    for source in SOURCES.values():
        if source.name == "prices":
            continue
        prefix = f"AISL_{source.name.upper()}_"
        secret = f"Secret of {source.title}; without it the source is off"
        rows += [Variable(f"{prefix}{name}", "off", secret) for name in source.secrets]
        rows += [Variable(f"{prefix}{name}", "off", meaning) for name, meaning in source.required.items()]
        rows += [Variable(f"{prefix}{option.name}", option.default, option.meaning) for option in source.options]
        rows.append(Variable(f"{prefix}ACCOUNT", "default", f"Name of the account of {source.name} in lake and ledger"))
        if not {"BASE_URL", "LOCATION", "BUCKET"} & set(source.required):
            rows.append(Variable(f"{prefix}BASE_URL", "the vendor's", f"Another address of {source.title}"))
    return rows
