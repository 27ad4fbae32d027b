"""Which of a site's points this client uses, in which order: what was seen of them, what follows from it, and who is left alone.

memory (state) → order (pure) → the points that a pass asks, without those that pauses leave alone
"""
