"""People's and programs' door to a site: the REST API under `/api/v1`, health and metrics, and the server that carries them.

It asks and commands `site_server.admin`, and decides nothing itself.
"""
