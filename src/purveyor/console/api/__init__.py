"""The REST API: one router a noun, each no more than the way from a request to a function of `site_server.admin`."""
