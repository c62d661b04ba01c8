"""`python -m sandbox serve` and `python -m sandbox seeds`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox import calendar


def _wait_for_end_of_input(stop: threading.Event) -> None:
    # The bare descriptor: a buffered reader would hold a lock that the interpreter needs when it ends.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop.set()


def _serve(arguments: argparse.Namespace) -> int:
    from sandbox.server import serving

    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    if not sys.stdin.isatty():
        # The parent holds our standard input open; when it dies the pipe closes and so do we.
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    faults = json.loads(arguments.faults)
    as_of = calendar.parse_instant(arguments.as_of)
    print("sandbox: making the company", file=sys.stderr, flush=True)
    with serving(Path(arguments.state), days=arguments.days, seed=arguments.seed, scale=arguments.scale, as_of=as_of,
                 port=arguments.port, faults=faults) as (sandbox, port):  # fmt: skip
        line = {"env": sandbox.environment(port), "port": port, "pid": os.getpid(), "url": f"http://127.0.0.1:{port}"}
        print(json.dumps(line), flush=True)
        print("sandbox: serving", file=sys.stderr, flush=True)
        stop.wait()
    return 0


def _seeds(arguments: argparse.Namespace) -> int:
    from sandbox import seeds

    wrong = seeds.check(Path(arguments.out)) if arguments.check else seeds.write(Path(arguments.out))
    for name in wrong if arguments.check else []:
        print(f"sandbox: {name} is not what the sandbox would write", file=sys.stderr)
    return 1 if arguments.check and wrong else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The invented company.")
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="make the company and serve its vendors until SIGTERM or end of input")
    serve.add_argument("--state", required=True, help="folder for the company, its dropped files and its truth")
    serve.add_argument("--days", type=int, default=calendar.MAX_DAYS)
    serve.add_argument("--seed", type=int, default=1)
    serve.add_argument("--scale", type=float, default=1.0)
    serve.add_argument("--as-of", default=calendar.iso(calendar.AS_OF))
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--faults", default="[]", help="JSON list of faults")
    serve.set_defaults(run=_serve)
    seeds = commands.add_parser("seeds", help="write (or compare) the company's seed files")
    seeds.add_argument("--out", required=True)
    seeds.add_argument("--check", action="store_true")
    seeds.set_defaults(run=_seeds)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
