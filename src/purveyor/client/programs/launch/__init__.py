"""From what is due to a program that runs, or is uninstalled: its family, content, window, environment and start."""
