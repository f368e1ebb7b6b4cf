"""What the contract has and no test can see, each with the reason. The shorter, the better."""

from collections.abc import Mapping

UNSEEN: Mapping[str, str] = {}
