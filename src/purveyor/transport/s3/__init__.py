"""Shelves in a bucket: written by the site, read by clients over HTTPS like any other point.

address, credentials, policy, words (pure) → opening → shelf, which alone knows the library
"""
