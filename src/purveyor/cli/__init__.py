"""The command line `purveyor …`. Administration goes through the REST API; `site`, `client` and `demo` start roles."""
