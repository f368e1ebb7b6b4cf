"""`python -m tests.contract FOLDER`: what of the contract no test saw; `tests/run` calls it at its end."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from contract.checker import Checker  # noqa: E402 – the path comes first
from contract.document import closed  # noqa: E402 – the path comes first
from contract.seen import read  # noqa: E402 – the path comes first
from contract.unseen import UNSEEN  # noqa: E402 – the path comes first


def main(folder: Path) -> int:
    """Prints what is missing, and returns the exit code."""
    seen, promised = read(folder), Checker(closed()).promised
    missing = sorted(promised - seen - UNSEEN.keys())
    for line in missing:
        print(f"in the contract, and no test saw it: {line}")
    for line in sorted(UNSEEN.keys() & seen):
        print(f"a test saw it, though tests/contract/unseen.py says that none can: {line}")
    for line in sorted(UNSEEN.keys() - promised):
        print(f"not in the contract, though tests/contract/unseen.py has it: {line}")
    print(f"the contract: {len(promised)} answers and events, {len(promised & seen)} seen")
    return 1 if missing or UNSEEN.keys() & seen or UNSEEN.keys() - promised else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
