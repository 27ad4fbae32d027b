"""Backup and restore of a site: a consistent copy while it runs, and a site again from any older copy (protocol, section 11)."""
