"""What all tests share: what holds for every run, and the real servers, as fixtures."""

pytest_plugins = ["strictness", "http_servers", "database_servers", "samba_server", "s3_server", "installation"]
