"""The command line: one line of JSON, then a server that dies with its parent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

from sandbox.__main__ import main


def _start(state, stdin):
    command = [sys.executable, "-m", "sandbox", "serve", "--state", str(state), "--days", "2", "--scale", "0.05"]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", ["stdin", "sigterm"])
def test_serve_prints_its_environment_and_ends(tmp_path, end):
    process = _start(tmp_path, subprocess.PIPE)
    try:
        line = json.loads(process.stdout.readline())
        assert line["pid"] == process.pid
        assert line["env"]["AISL_START_DATE"] == "2026-10-18"
        with urllib.request.urlopen(f"http://127.0.0.1:{line['port']}/_sandbox/requests") as reply:
            assert reply.status == 200
        if end == "stdin":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()


def test_seeds_are_written_and_compared(tmp_path, capsys):
    assert main(["seeds", "--out", str(tmp_path)]) == 0
    assert main(["seeds", "--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "teams.csv").write_text("team\n")
    assert main(["seeds", "--out", str(tmp_path), "--check"]) == 1
    assert "teams.csv" in capsys.readouterr().err
