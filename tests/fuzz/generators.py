"""The generators of attacks: a number and the seed determine an attack."""

from collections.abc import Callable
from dataclasses import replace

from ssechat.identity.tokens import COOKIE

from . import bodies, credentials, heads, packets, streams
from .attack import Attack, Maker, Step, World

Generator = Callable[[Maker], Attack]

GENERATORS: tuple[tuple[int, Generator], ...] = (
    (3, heads.methods), (6, heads.targets), (3, heads.controls), (6, heads.raw), (3, heads.versions), (1,
    heads.prefaces), (4, heads.hosts),
    (6, heads.lengths), (6, heads.codings), (5, heads.chunks), (4, heads.trailers), (3, heads.expects), (6,
    heads.upgrades),
    (2, heads.honest_upgrades), (3, heads.connections), (6, heads.lines), (2, heads.newlines), (10, heads.fields), (1,
    heads.many), (1, heads.long),
    (5, packets.split), (3, packets.one_by_one), (2, packets.wrong_lengths), (2, packets.pipeline), (3,
    packets.mixed_pipeline), (4, packets.garbage),
    (3, packets.behind_a_stream), (2, packets.half_close), (2, packets.half_closed_middle), (4, packets.reset), (1,
    packets.drip),
    *bodies.ALL, *credentials.ALL, *streams.ALL,
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
