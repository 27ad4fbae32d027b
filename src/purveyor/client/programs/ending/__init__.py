"""What became of a run: its result, its judgement, what follows from it, and the restart that it may need."""
