"""Results of evaluation runs as dropped CSV or JSON lines: what the evaluation gate decides on."""

from __future__ import annotations

from ingestion.catalog.dataset import Dataset, Source, counts, flags, text

SOURCE = Source(
    "evaluations", "Evaluation runs", required={"LOCATION": "Folder or `s3://` prefix where evaluation results are dropped"}
)


DATASETS: tuple[Dataset, ...] = (
    Dataset(
        source="evaluations",
        name="results",
        grain="evaluation set x item x configuration x trial, from a dropped CSV or JSON lines",
        window="file",
        restatement_days=0,
        money_unit="USD dollars",
        identity=("eval_set_id", "item_id", "config_id", "trial"),
        columns={
            "evaluated_on": "date",
            **text("eval_set_id", "item_id", "slice", "config_id"),
            **counts("trial"),
            **flags("passed"),
            "cost_usd": "money_text",
            **counts("tokens", "latency_ms"),
            **text("judge_version"),
            **flags("refused", "safety_failure"),
            **text("file_name"),
        },
        notes="passed empty: an error or a time-out, which counts as a fail with its cost. Ids and numbers only: inputs, answers and"
        " the judge's words are never landed. Which configurations are compared is said in seed eval_plans.",
    ),
)
