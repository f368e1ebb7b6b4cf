"""Settings of the model tests: their number of examples and deadlines."""

from hypothesis import HealthCheck, Phase, settings


def profile(examples: int, steps: int) -> settings:
    """Settings with a number of examples, which are the same in every run of the same code.

    The examples also depend on the constants in all loaded modules, which hypothesis tries. So the number needs a
    margin for the faults that must be found.
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
