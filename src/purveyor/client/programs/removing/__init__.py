"""What leaves this machine: programs that nobody offers any more, and all of what was deleted at the site."""
