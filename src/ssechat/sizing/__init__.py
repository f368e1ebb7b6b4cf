"""How much a deployment needs: from a plan (plan.py), and figures that a benchmark of a machine wrote (figures.py)."""
