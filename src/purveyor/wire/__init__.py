"""What crosses between machines, and nothing else: ids, offers, package info, reports, envelopes.

Pure: no clock, no disk, no socket. Everyone may import it; it imports no part of Purveyor.
"""
