"""One tidy line per step on the terminal; everything Dagster says goes to a file."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg


@dataclass
class Progress:
    """Seconds per step of the runs it listened to, and what failed. `say` prints a line.

    `inside`: the part of a step's seconds that its assets and checks state in their metadata (`seconds`): a stage's models
    and tests, a gate's query, the review pack; the rest of the step is frameworks and records.
    """

    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)
    inside: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    _started: dict[str, float] = field(default_factory=dict)

    def event(self, event: Any) -> None:
        """Take in one Dagster event."""
        kind, step = event.event_type_value, event.step_key
        if kind == "STEP_START":
            self._started[step] = time.monotonic()
        elif kind in ("STEP_SUCCESS", "STEP_FAILURE") and step in self._started:
            seconds = time.monotonic() - self._started[step]
            self.seconds[step] = seconds
            mark = "ok  " if kind == "STEP_SUCCESS" else "STOP"
            self.say(f"  {mark} {title(step):<44} {seconds:6.1f} s")
            if kind == "STEP_FAILURE":
                self.failures.append(_reason(event))
        elif kind == "ASSET_MATERIALIZATION":
            self._count(step, event.step_materialization_data.materialization.metadata)
        elif kind == "STEP_UP_FOR_RETRY":
            self.say(f"  wait {title(step)}: no answer, trying again")
        elif kind == "ASSET_CHECK_EVALUATION":
            found = event.asset_check_evaluation_data
            self._count(step, found.metadata)
            if not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
                self.failed_checks.append(f"{found.check_name}: {found.description or 'failed'}")

    def _count(self, step: str, metadata: Any) -> None:
        seconds = metadata.get("seconds")
        if seconds is not None:
            self.inside[step] = self.inside.get(step, 0.0) + float(seconds.value)


def title(step: str) -> str:
    """A step's key as people read it."""
    return step.removeprefix("raw__").replace("__", " ").replace("_", " ")


def progress_logger(progress: Progress, path: Path) -> dg.LoggerDefinition:
    """A Dagster logger that feeds `progress` and writes every line to a file."""

    class Handler(logging.Handler):
        """Splits events from plain lines."""

        def emit(self, record: logging.LogRecord) -> None:
            with path.open("a", encoding="utf-8") as file:
                file.write(self.format(record) + "\n")
            event = getattr(record, "dagster_event", None) or getattr(record, "dagster_meta", {}).get("dagster_event")
            if event is not None:
                progress.event(event)
            elif (message := _plain(record)).startswith("progress: "):
                progress.say(f"       … {message.removeprefix('progress: ')}")

    @dg.logger
    def to_terminal(_: dg.InitLoggerContext) -> logging.Logger:
        path.parent.mkdir(parents=True, exist_ok=True)
        logger = logging.getLogger(f"ai_spend_ledger.{id(progress)}")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        handler = Handler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.handlers = [handler]
        return logger

    return to_terminal


def _plain(record: logging.LogRecord) -> str:
    meta = getattr(record, "dagster_meta", None) or {}
    return str(meta.get("orig_message") or record.getMessage())


def _reason(event: Any) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return f"{title(event.step_key)}: {data.user_failure_data.description}"
    error = data.error
    # Dagster's wrapper says only that the step failed; our own error says more than what it was raised from.
    while error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    return f"{title(event.step_key)}: {error.message.strip() if error else 'failed'}"
