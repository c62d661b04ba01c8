"""Where bytes are kept: a local folder or an S3 prefix behind the same five verbs. Writes are atomic per key."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class S3Options:
    """How to reach an S3 API. Empty values leave the choice to boto3's own defaults."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)

    def client(self) -> Any:
        """A boto3 S3 client with bounded timeouts and retries."""
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"max_attempts": 5, "mode": "standard"},
            s3={"addressing_style": "path"} if self.endpoint_url else {},
        )
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url or None,
            region_name=self.region or "us-east-1",
            aws_access_key_id=self.access_key_id or None,
            aws_secret_access_key=self.secret_access_key or None,
            aws_session_token=self.session_token or None,
            config=config,
        )


class Lake(Protocol):
    """Keys are `/`-separated and relative. `read` returns None for a key that is not there."""

    def read(self, key: str) -> bytes | None: ...

    def write(self, key: str, content: bytes) -> None: ...

    def list(self, prefix: str) -> list[str]: ...

    def url(self, key: str) -> str: ...

    def locked(self, key: str) -> contextlib.AbstractContextManager[None]: ...


class LocalLake:
    """A folder. A write goes to a hidden neighbour first and is renamed, so readers see old or new, never half."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._made: set[Path] = set()

    def read(self, key: str) -> bytes | None:
        """Content of the key, or None."""
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Replace the key's content atomically."""
        path = self.root / key
        self._make(path.parent)
        aside = path.parent / f".{path.name}.{os.getpid()}.tmp"
        try:
            aside.write_bytes(content)
        except FileNotFoundError:  # the folder was removed by someone since it was made
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content)
        aside.replace(path)

    def list(self, prefix: str) -> list[str]:
        """Sorted keys of the files below a folder; files being written are left out."""
        base = self.root / prefix
        if not base.is_dir():
            return []
        found = (p for p in base.rglob("*") if p.is_file() and not p.name.startswith("."))
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def url(self, key: str) -> str:
        """Absolute path of a key, as DuckDB and polars read it."""
        return (self.root / key).absolute().as_posix()

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Exclusive section for everyone who writes that key on this machine; freed when the process dies."""
        path = self.root / key
        self._make(path.parent)
        with (path.parent / f".{path.name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _make(self, folder: Path) -> None:
        if folder not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)


class S3Lake:
    """A bucket prefix. One PUT is atomic by itself; nothing locks, so one writer at a time is the caller's duty."""

    def __init__(self, url: str, options: S3Options | None = None) -> None:
        self.bucket, prefix = split_s3_url(url)
        self.prefix = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
        self.options = options or S3Options()
        self._s3: Any = None

    @property
    def s3(self) -> Any:
        """The boto3 client, made at first use."""
        if self._s3 is None:
            self._s3 = self.options.client()
        return self._s3

    def read(self, key: str) -> bytes | None:
        """Content of the key, or None."""
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Replace the key's content."""
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content)

    def list(self, prefix: str) -> list[str]:
        """Sorted keys below a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + prefix.rstrip("/") + "/"
        )
        return sorted(item["Key"][len(self.prefix) :] for page in pages for item in page.get("Contents", ()))

    def url(self, key: str) -> str:
        """`s3://` address of a key."""
        return f"s3://{self.bucket}/{self.prefix}{key}"

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """No lock on S3."""
        yield


def split_s3_url(url: str) -> tuple[str, str]:
    """`s3://bucket/some/prefix` → (`bucket`, `some/prefix`)."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, prefix


def open_lake(location: str | Path, options: S3Options | None = None) -> Lake:
    """The lake at a folder or an `s3://bucket/prefix` address. Opens nothing yet."""
    text = str(location)
    return S3Lake(text, options) if text.startswith("s3://") else LocalLake(text)
