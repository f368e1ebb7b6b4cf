"""A violation of a guarantee.

Each has a kind:

    lost        an acknowledged message was never delivered to a device of a member
    doubled     delivered twice to a device, or one client_msg_id that became two messages
    misordered  a conversation in another order than that of seq, or of what was acknowledged before it began
    hole        the ids of a device, or the seqs that it has of a conversation, skip a number
    disagree    two devices have different things under one name, or one has what the other never got
    altered     what was delivered, or a second answer, is not what was acknowledged
    invented    a message that nobody sent, a change that nobody made
    reset       a reset, and Redis has lost nothing since the one before
    replay      acknowledged before a device connected, and not there when its replay was said to be done
    late        connected, no fault anywhere, and still longer than the limit without it
    stuck       never acknowledged, though repeated until the end
    refused     an answer that is neither what was asked for nor a 503, nor a refusal that the rights explain

Of groups, besides:

    missed      a member's inbox lacks an entry of his time
    surplus     an inbox has an entry from outside of its owner's time
    leak        something of a message was shown to somebody who may not read it
    trespass    done by somebody who had not the right to it then
    stale       the last that a device, or REST, has of a message or a group is not the newest of it
    backwards   an older version of a message came after a newer one
"""

from dataclasses import dataclass

KINDS = (
    "lost", "doubled", "misordered", "hole", "disagree", "altered",
    "invented", "reset", "replay", "late", "stuck", "refused",
    "missed", "surplus", "leak", "trespass", "stale", "backwards",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation of a guarantee, and the message or device that it concerns."""

    kind: str
    text: str
    client_msg_id: str | None = None
    device: str | None = None
    conversation: str | None = None
