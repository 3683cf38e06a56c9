"""`python -m tests.disasters [ROUNDS] [SEED]`: play rounds, 20 unless told otherwise, and print what each was."""

import os
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.disasters.rounds import play, site


def main(rounds: int = 20, seed: int = 0) -> None:
    """Play; ends with an AssertionError at the first round after which something is amiss."""
    console, chance = Console(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="dermacare-disasters-") as folder:
        os.environ["DERMACARE_SIGNING_KEY"] = f"{folder}/signing.key"
        _play(Path(folder), rounds, chance, console)


def _play(folder: Path, rounds: int, chance: random.Random, console: Console) -> None:
    with site(folder) as place:
        for number in range(1, rounds + 1):
            one = play(place, chance)
            console.print(
                f"{number}: {one.victim} killed {one.after:.1f} s into {one.step}, away for {one.away:.1f} s; "
                f"consistent after {one.attempts} more"
            )
        console.print(f"{rounds} of {rounds} rounds consistent; {len(place.app.answered)} predictions answered, each in the log")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
