"""The generators of attacks: a number and the seed determine an attack."""

from collections.abc import Callable
from dataclasses import replace

from ssechat.identity.tokens import COOKIE

from . import bodies, credentials, groups, headers, packets, streams
from .attack import Attack, Maker, Step, World

Generator = Callable[[Maker], Attack]

GENERATORS: tuple[tuple[int, Generator], ...] = (
    (3, headers.methods), (6, headers.targets), (3, headers.controls), (6, headers.raw), (3, headers.versions),
    (1, headers.prefaces), (4, headers.hosts), (6, headers.lengths), (6, headers.codings), (5, headers.chunks),
    (4, headers.trailers), (3, headers.expects), (6, headers.upgrades), (2, headers.honest_upgrades),
    (3, headers.connections), (6, headers.lines), (2, headers.newlines), (10, headers.fields), (1, headers.many),
    (1, headers.long), (5, packets.split), (3, packets.one_by_one), (2, packets.wrong_lengths), (2, packets.pipeline),
    (3, packets.mixed_pipeline), (4, packets.garbage), (3, packets.behind_a_stream), (2, packets.half_close),
    (2, packets.half_closed_middle), (4, packets.reset), (1, packets.drip),
    *bodies.ALL, *groups.ALL, *credentials.ALL, *streams.ALL,
)  # fmt: skip
"""The generators with their weights."""

WEIGHTS = tuple(weight for weight, _ in GENERATORS)
MAKERS = tuple(generator for _, generator in GENERATORS)

GUESSES = 0.004
"""The share of attacks that guess a password: each costs the server more than a hundred others."""

RIGHT_COOKIE = 0.7
"""The share of attacks with the right name of the cookie."""

MUTATED = 0.25
"""The share of mutated attacks."""


def attack(world: World, number: int) -> Attack:
    """Generates the attack of this number."""
    make = Maker(world, number)
    if make.dice.random() < GUESSES:
        return replace(bodies.guesses(make), number=number)
    [generator] = make.dice.choices(MAKERS, WEIGHTS)
    made = generator(make)
    if make.dice.random() < RIGHT_COOKIE:
        made = replace(made, steps=tuple(_with_cookie(step, world) for step in made.steps))
    if made.ids and not made.bodiless and make.dice.random() < MUTATED:
        made = packets.mutated(make, made)
    return replace(made, number=number)


def _with_cookie(step: Step, world: World) -> Step:
    return step.replace(COOKIE.encode(), world.cookie.encode()) if isinstance(step, bytes) else step


def held(world: World, number: int) -> Attack:
    """Generates an attack that the server must end."""
    return replace(packets.held(Maker(world, number)), number=number)
