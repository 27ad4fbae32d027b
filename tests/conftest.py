"""What all tests share: what holds for every run, and the real servers, as fixtures."""

import os
import signal
import sys

pytest_plugins = [
    "leftovers",
    "strictness",
    "together",
    "http_servers",
    "database_servers",
    "samba_server",
    "s3_server",
    "every_shelf",
    "installation",
    "running_site",
]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""Tests start hundreds of processes of the project: each would compile all of it anew where nothing is kept."""

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell has what it starts in the background ignore it, and so would all processes that tests start and interrupt."""
