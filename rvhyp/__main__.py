"""The command `rvhyp`, also as `python -m rvhyp`."""
from rvhyp.cli import interruption


def main() -> None:
    """Signals are caught before anything else is imported."""
    interruption.catch()
    from rvhyp.cli.verbs import main
    main(prog_name="rvhyp")


if __name__ == "__main__":
    main()
