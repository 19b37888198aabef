"""The command `rvhyp`, also as `python -m rvhyp`."""
import atexit
import os
import sys
import threading

from rvhyp.cli import interruption

FLUSH_FAILED = 120              # the status that Python itself ends with where output cannot be written any more


def main() -> None:
    """Signals are caught before anything else is imported."""
    interruption.catch()
    from rvhyp.cli.verbs import main
    try:
        main(prog_name="rvhyp")
    except SystemExit as ended:
        if not isinstance(ended.code, int) or threading.active_count() > 1:
            raise
        _end(ended.code)


def _end(status: int) -> None:
    """End without taking all objects apart, which takes 15 ms and gives back what the host takes back anyway."""
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = FLUSH_FAILED
    os._exit(status)


if __name__ == "__main__":
    main()
