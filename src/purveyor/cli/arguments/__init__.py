"""What can be written on the command line, one file a noun: names, options, help. Nothing here runs a command.

These modules import the standard library alone, so that `--help` answers at once; `main` imports a noun's own module when it is called.
"""
