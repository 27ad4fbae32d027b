"""The door is tested through a real HTTP server on a loopback port."""

from running_site import running_site

__all__ = ["running_site"]
