"""Purveyor distributes software to fleets of machines and tells the truth about what became of it."""

__version__ = "0.1.0"
