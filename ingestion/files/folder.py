"""Where files are dropped: a folder or a bucket prefix. Lists names with versions and reads whole files; never writes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from ingestion.errors import RequestRejected, SourceUnavailable
from ingestion.lake import S3Options, split_s3_url
from ingestion.source import SourceConfig

HEAD_BYTES = 1 << 18


@dataclass(frozen=True)
class Dropped:
    """One file: name relative to the folder or prefix, and what the store says about its content."""

    name: str
    version: str


class Folder(Protocol):
    """`head` may give fewer bytes than the whole file; `read` gives all of it."""

    def files(self) -> list[Dropped]: ...

    def head(self, name: str) -> bytes: ...

    def read(self, name: str) -> bytes: ...


class LocalFolder:
    """A folder on disk, with its sub-folders. Hidden files are files still being written and are left out."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def files(self) -> list[Dropped]:
        """Files sorted by name; RequestRejected when there is no such folder."""
        if not self.root.is_dir():
            raise RequestRejected(
                tried=f"list dropped files in {self.root.name}", found="no such folder", to_do="create it or correct the location"
            )
        found = (p for p in self.root.rglob("*") if p.is_file() and not p.name.startswith("."))
        return sorted((self._dropped(p) for p in found), key=lambda f: f.name)

    def head(self, name: str) -> bytes:
        """The first bytes of a file."""
        with (self.root / name).open("rb") as handle:
            return handle.read(HEAD_BYTES)

    def read(self, name: str) -> bytes:
        """The whole file; SourceUnavailable when it went away."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise SourceUnavailable(
                tried=f"read dropped file {name}", found=type(error).__name__, to_do="run again when the file is complete"
            ) from None

    def _dropped(self, path: Path) -> Dropped:
        state = path.stat()
        return Dropped(path.relative_to(self.root).as_posix(), f"{state.st_size}-{state.st_mtime_ns}")


class S3Folder:
    """A bucket prefix, spoken to through boto3."""

    def __init__(self, bucket: str, prefix: str, options: S3Options) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.options = options

    @cached_property
    def s3(self) -> Any:
        """The boto3 client, made at first use."""
        return self.options.client()

    def files(self) -> list[Dropped]:
        """Objects below the prefix, sorted by key."""
        found = []
        for page in self._pages():
            for item in page.get("Contents", ()):
                name = item["Key"][len(self.prefix) :]
                if not name.endswith("/"):
                    found.append(Dropped(name, item["ETag"].strip('"')))
        return sorted(found, key=lambda f: f.name)

    def below(self, path: str) -> S3Folder:
        """The folder of that path below this one, spoken to through the same client."""
        found = S3Folder(self.bucket, self.prefix + path, self.options)
        found.s3 = self.s3
        return found

    def folders(self) -> list[str]:
        """Names of the folders directly below the prefix, sorted."""
        found = []
        for page in self._pages(Delimiter="/"):
            found += [item["Prefix"][len(self.prefix) :].rstrip("/") for item in page.get("CommonPrefixes", ())]
        return sorted(found)

    def head(self, name: str) -> bytes:
        """The first bytes of an object."""
        return self._get(self.prefix + name, Range=f"bytes=0-{HEAD_BYTES - 1}")

    def read(self, name: str) -> bytes:
        """A whole object below the prefix."""
        return self._get(self.prefix + name)

    def read_key(self, key: str) -> bytes:
        """A whole object by its full key."""
        return self._get(key)

    def _pages(self, **options: str) -> Iterator[dict[str, Any]]:
        paginator = self.s3.get_paginator("list_objects_v2")
        with _explained(f"list s3://{self.bucket}/{self.prefix}"):
            yield from paginator.paginate(Bucket=self.bucket, Prefix=self.prefix, **options)

    def _get(self, key: str, **options: str) -> bytes:
        with _explained(f"read s3://{self.bucket}/{key}"):
            return self.s3.get_object(Bucket=self.bucket, Key=key, **options)["Body"].read()


class _explained:
    """Turns boto3's errors into ours: by HTTP status, without quoting the answer."""

    def __init__(self, tried: str) -> None:
        self.tried = tried

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = error.response.get("Error", {}).get("Code", "")
            if status in (400, 401, 403) or code in ("NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
                raise RequestRejected(
                    tried=self.tried, found=f"HTTP {status} {code}", to_do="check bucket name, key and bucket policy"
                ) from None
            raise SourceUnavailable(
                tried=self.tried, found=f"HTTP {status} {code}", to_do="run again later; a file may be in replacement"
            ) from None
        if isinstance(error, BotoCoreError):
            raise SourceUnavailable(
                tried=self.tried, found=type(error).__name__, to_do="check endpoint and network, then run again"
            ) from None


def s3_options(config: SourceConfig) -> S3Options:
    """How an account reaches S3: its secrets and the options endpoint_url (or base URL) and region."""
    return S3Options(
        endpoint_url=config.option("endpoint_url") or config.base_url,
        region=config.option("region") or None,
        access_key_id=config.secret("ACCESS_KEY_ID") or config.option("access_key_id") or None,
        secret_access_key=config.secret("SECRET_ACCESS_KEY") or config.option("secret_access_key") or None,
        session_token=config.secret("SESSION_TOKEN") or None,
    )


def gunzip(content: bytes) -> bytes:
    """A gzip file unpacked; EOFError for an empty one, which gzip itself takes for a file of nothing."""
    if not content:
        raise EOFError
    return gzip.decompress(content)


def open_folder(config: SourceConfig) -> Folder:
    """The folder or `s3://` prefix in the option `location`."""
    path = config.option("location")
    if path.startswith("s3://"):
        return S3Folder(*split_s3_url(path), s3_options(config))
    return LocalFolder(path)


def look(config: SourceConfig) -> tuple[str, str | None]:
    """How many files lie in an account's folder."""
    return f"{len(open_folder(config).files())} files", None
