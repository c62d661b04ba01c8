"""The rooms and their walls: who may import whom, what importing may do, what may be committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("ingestion", "forecasting", "decisions", "orchestration", "sandbox")
MODULES = sorted(
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in ROOMS
    for p in (ROOT / room).rglob("*.py")
    if p.name != "__main__.py"
)

# Loads every module with an empty environment and an audit hook that objects to what importing must not do.
_PROBE = """
import builtins, importlib, os, sys
sys.dont_write_bytecode = True
root = sys.argv[1]
sys.path.insert(0, root)
ours = tuple(sys.argv[2].split(","))
# What the third-party packages do at import is theirs; they are loaded before the hook listens.
for name in ("polars", "numpy", "duckdb", "pyarrow", "pyarrow.parquet", "msgspec", "httpx2", "tenacity", "boto3", "dagster",
             "dagster_dbt", "genai_prices", "statsmodels.api", "altair", "xlsxwriter", "jinja2",
             "moto.server", "scipy.stats", "sqlalchemy", "dagster._core.storage.sqlite_storage"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
seen = []
def ours_above():
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.split(".")[0] == "importlib" or "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
            continue
        return frame.f_code.co_filename.startswith(root) and frame.f_code.co_name == "<module>"
    return False
def hook(event, args):
    if event == "open" and isinstance(args[0], str) and not args[0].endswith((".py", ".pyc", ".so")):
        if ours_above():
            seen.append(f"open {args[0]}")
    elif event.startswith("socket.") and event not in ("socket.__new__",):
        if ours_above():
            seen.append(event)
class Watched(dict):
    def __getitem__(self, key):
        if ours_above(): seen.append(f"environment {key}")
        return super().__getitem__(key)
    def get(self, key, default=None):
        if ours_above(): seen.append(f"environment {key}")
        return super().get(key, default)
sys.addaudithook(hook)
os.environ = Watched(os.environ)
for name in ours:
    importlib.import_module(name)
print("\\n".join(seen))
sys.exit(1 if seen else 0)
"""


def test_importing_every_module_with_an_empty_environment_opens_nothing() -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", _PROBE, str(ROOT), ",".join(MODULES)],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr[-2000:]


def test_the_import_probe_notices_a_module_that_reads_the_environment(tmp_path: Path) -> None:
    (tmp_path / "guilty.py").write_text("import os\nVALUE = os.environ.get('SECRET')\nopen('/etc/hostname').close()\n")
    outcome = subprocess.run(
        [sys.executable, "-c", _PROBE, str(tmp_path), "guilty"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 1
    assert "environment SECRET" in outcome.stdout and "open /etc/hostname" in outcome.stdout


def test_rooms_keep_to_their_import_contracts() -> None:
    outcome = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-3000:]


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def test_only_the_suites_import_great_expectations() -> None:
    importers = [p for room in ROOMS for p in (ROOT / room).rglob("*.py") if "great_expectations" in _imports(p)]
    assert [p.relative_to(ROOT).as_posix() for p in importers] == ["orchestration/gates/suites.py"]


def test_only_settings_reads_the_environment() -> None:
    pattern = re.compile(r"os\.(environ|getenv)")
    readers = {
        p.relative_to(ROOT).as_posix()
        for room in ("ingestion", "forecasting", "decisions", "orchestration")
        for p in (ROOT / room).rglob("*.py")
        if pattern.search(p.read_text(encoding="utf-8"))
    }
    # dbt_build lends dbt its variables, the command line passes the environment on; neither reads a setting from it.
    assert readers <= {"orchestration/settings.py", "orchestration/dbt_build.py", "orchestration/cli.py"}


@pytest.mark.parametrize("room", ["forecasting", "decisions"])
@pytest.mark.parametrize("kind", ["import numpy.random", "datetime.now", "time.time", "open(", "default_rng()"])
def test_frames_in_frames_out_rooms_are_pure(room: str, kind: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert kind not in text, f"{path.name} uses {kind}"


_SECRET = re.compile(
    r"sk-ant-admin01-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{32,}|ghp_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16}|-----BEGIN [A-Z ]*PRIVATE KEY"
)


def test_no_committed_file_carries_something_shaped_like_a_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = []
    for name in listed:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".yml", ".yaml", ".sql", ".csv", ".json", ".sh") and path.is_file():
            for match in _SECRET.findall(path.read_text(encoding="utf-8", errors="replace")):
                if not any(word in match.lower() for word in ("sandbox", "example", "canary")):
                    found.append(f"{name}: {match[:12]}...")
    assert found == []
