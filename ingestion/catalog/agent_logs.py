"""Usage logs that coding agents write on the developer's machine, dropped as files."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Option, Source, counts, flags, instants, money, text

SOURCE = Source(
    "agent_logs",
    "Local coding-agent logs",
    required={"LOCATION": "Folder or `s3://` prefix with one folder per developer, named by e-mail or login"},
    options=(
        Option("REPO_OWNER", "none", "Owner put before a working folder's name, so that it reads owner/name as on the code host"),
    ),
    logs_requests=True,
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="agent_logs",
        name="answers",
        grain="model answer in a dropped session log, however many lines it was written on",
        window="file",
        restatement_days=0,
        money_unit="USD dollars, where the agent estimates them or the provider states them",
        control_column="cost_usd",
        confidence="medium",
        identity=("answer_id",),
        columns={
            **text(
                "answer_id", "provider_response_id", "provider_request_id", "agent", "provider", "model", "session_id",
                "user_folder", "repo", "branch", "service_tier",
            ),
            **flags("is_sidechain"),
            **instants("ended_at"),
            **counts(
                "tokens_input_uncached", "tokens_cache_read", "tokens_cache_write_5m", "tokens_cache_write_1h",
                "tokens_cache_write_unspecified", "tokens_output", "tokens_output_reasoning", "stated_total_tokens",
                "line_count",
            ),
            **money("cost_usd"),
            **text("file_name"),
        },
        notes=(
            "Three layouts, told by their lines: Claude Code (message id and request id), Codex (token_count events of a session) "
            "and plain provider answers ({timestamp, session, cwd, branch, response}). An answer written on several lines while it "
            "streamed counts once, with its fullest usage. Texts never land; of a working folder only its last name."
        ),
    ),
)
