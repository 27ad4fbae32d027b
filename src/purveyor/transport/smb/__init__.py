"""Points and shelves on a Windows share: one kept, encrypted session a server, over a library that is loaded here alone.

address (pure) → session (kept) → share (files of one share) → point, as clients use it, or shelf, as its owner does
"""
