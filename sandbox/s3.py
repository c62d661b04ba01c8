"""The bucket with the AWS data export: Parquet files in run folders and, per billing period, one manifest that counts."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer

from sandbox import aws, calendar, canaries
from sandbox.company import token

if TYPE_CHECKING:
    from sandbox.vendors.base import World

BUCKET = "acme-billing"
PREFIX = "exports"
EXPORT = "acme-focus"
ACCESS_KEY = "AKIASANDBOX000000001"
_CHUNK = 1500
_LOWER_CASE_BEFORE = dt.date(2026, 3, 1)

_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(aws._TEXT, pa.string()), **dict.fromkeys(aws._MONEY, pa.float64()),
    **dict.fromkeys(aws._TIMES, pa.timestamp("us", tz="UTC")), **dict.fromkeys(aws._MAPS, pa.map_(pa.string(), pa.string())),
    "x_Discounts": pa.map_(pa.string(), pa.float64()),
}  # fmt: skip
SCHEMA = pa.schema([(c, _TYPES[c]) for c in aws.COLUMNS])


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    columns = []
    for field in SCHEMA:
        values = [r[field.name] for r in rows]
        if pa.types.is_map(field.type):
            values = [None if v is None else list(v.items()) for v in values]
        columns.append(pa.array(values, type=field.type))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), out, compression="snappy")
    return out.getvalue()


class Bucket:
    """An S3 server on a port of its own. `deliver` writes what the export holds at the world's clock."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.client = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=canaries.SECRET_AWS,
        )  # fmt: skip
        self._clear()
        self.written: dict[str, bytes] = {}
        self.shown: dict[Any, tuple] = {}

    def _clear(self) -> None:
        # The server keeps its buckets per process: a second company in one process starts with an empty one.
        names = [b["Name"] for b in self.client.list_buckets()["Buckets"]]
        if BUCKET not in names:
            self.client.create_bucket(Bucket=BUCKET)
            return
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for found in page.get("Contents", []):
                self.client.delete_object(Bucket=BUCKET, Key=found["Key"])

    def deliver(self, world: World) -> None:
        """Write each billing month's newest run and manifest; open and last month keep an older run beside it."""
        for month in aws.months(world.company):
            if world.clock.date() <= max(month, world.company.days[0]):
                self._withdraw(month)
                continue
            moving = world.clock.date() < calendar.next_month(month) + dt.timedelta(days=15)
            state = (world.clock if moving else None, json.dumps(world.faults.concerning("aws"), sort_keys=True))
            if self.shown.get(month) == state:
                continue
            self.shown[month] = state
            if moving:
                earlier = world.clock - dt.timedelta(days=1)
                rows = aws.month_rows(world.company, month, earlier, world.faults)
                if rows:
                    self._run(month, earlier, rows)
            newest = world.clock if moving else calendar.midnight(calendar.next_month(month) + dt.timedelta(days=15))
            rows = aws.month_rows(world.company, month, world.clock, world.faults)
            if rows:
                if world.faults.find("wrong_currency", "aws"):
                    rows = [r | {"BillingCurrency": "EUR"} for r in rows]
                files, execution = self._run(month, newest, rows)
                if world.faults.find("missing_page", "aws"):
                    files = files[:-1] or files
                if world.faults.find("doubled_page", "aws"):
                    files = [files[0], *files]
                self._manifest(month, execution, files)

    def _withdraw(self, month: dt.date) -> None:
        """The clock went back before the month's first complete day: nothing of it was ever delivered."""
        self.shown.pop(month, None)
        for part in ("data", "metadata"):
            self.remove(f"{PREFIX}/{EXPORT}/{part}/{self._partition(month)}/")

    def remove(self, prefix: str) -> None:
        """Delete every object below a prefix."""
        for key in [k for k in self.written if k.startswith(prefix)]:
            self.client.delete_object(Bucket=BUCKET, Key=key)
            del self.written[key]

    def _partition(self, month: dt.date) -> str:
        name = "billing_period" if month < _LOWER_CASE_BEFORE else "BILLING_PERIOD"
        return f"{name}={month:%Y-%m}"

    def _run(self, month: dt.date, at: dt.datetime, rows: list[dict[str, Any]]) -> tuple[list[str], str]:
        chunks = [_parquet(rows[i : i + _CHUNK]) for i in range(0, len(rows), _CHUNK)]
        # A run is named after what it holds: a restated month is a new run, an unchanged one is not.
        mark = token("run", "".join(token("chunk", c.hex()[-4000:] + str(len(c)), 12) for c in chunks), 8)
        execution = f"{at:%Y-%m-%dT%H_%M_%S}.000Z-{mark}"
        files = []
        for number, content in enumerate(chunks, start=1):
            key = f"{PREFIX}/{EXPORT}/data/{self._partition(month)}/{execution}/{EXPORT}-{number:05d}.snappy.parquet"
            self.put(key, content)
            files.append(f"s3://{BUCKET}/{key}")
        return files, execution

    def _manifest(self, month: dt.date, execution: str, files: list[str]) -> None:
        manifest = {
            "exportName": EXPORT, "exportArn": f"arn:aws:bcm-data-exports:us-east-1:000111222333:export/{EXPORT}",
            "executionId": execution, "columns": [{"name": c, "type": str(_TYPES[c])} for c in aws.COLUMNS],
            "billingPeriod": {"start": f"{month}T00:00:00Z", "end": f"{calendar.next_month(month)}T00:00:00Z"}, "dataFiles": files,
        }  # fmt: skip
        content = json.dumps(manifest, indent=1).encode()
        folder = f"{PREFIX}/{EXPORT}/metadata/{self._partition(month)}"
        self.put(f"{folder}/{execution}/{EXPORT}-Manifest.json", content)
        self.put(f"{folder}/{EXPORT}-Manifest.json", content)

    def put(self, key: str, content: bytes) -> None:
        """Write an object, unless it holds that content already."""
        if self.written.get(key) != content:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=content)
            self.written[key] = content

    def tag(self, url: str) -> str:
        """A text that changes with an object's content."""
        return hashlib.sha256(self.written[url.removeprefix(f"s3://{BUCKET}/")]).hexdigest()

    def close(self) -> None:
        """Stop the server."""
        self.server.stop()
