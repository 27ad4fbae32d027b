"""Measurements of Purveyor, each a command that prints its own row and file counts: `python -m bench.NAME`.

Nothing here is a test; results and the machine they were taken on stand in `docs/performance.md`.
"""
