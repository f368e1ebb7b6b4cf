"""Settings of the model tests: their number of examples and deadlines."""

from hypothesis import HealthCheck, Phase, settings


def profile(examples: int, steps: int) -> settings:
    """The same examples in every run of the same code, and so many of them.

    Which ones depends on the numbers in all modules that are loaded, too: hypothesis tries those. So what is to be
    found needs some room.
    """
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
