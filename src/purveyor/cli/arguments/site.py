"""`purveyor site …`: making and running a site."""

from purveyor.cli.arguments import site_keys
from purveyor.cli.arguments.shape import LOCAL, Noun
from purveyor.cli.arguments.values import listen_address

_MODULE = "purveyor.cli.site"
DEFAULT_LISTEN = ("127.0.0.1", 8470)


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    site = root.noun("site", "make and run a site, on its own machine")
    init = site.verb(
        "init",
        f"{_MODULE}:init",
        "make a new site: database, keys, folders and an access token",
        examples=("purveyor site init /srv/purveyor --code S01",),
        codes=LOCAL,
    )
    init.add_argument("dir", metavar="DIR", help="folder to make; it must not hold a site yet")
    init.add_argument("--code", metavar="CODE", required=True, help="the site code: three letters or digits, for ever")
    init.add_argument("--database", metavar="URL", help="PostgreSQL database, postgresql://…; SQLite in DIR when not given")
    run = site.verb(
        "run",
        f"{_MODULE}:run",
        "run a site until it is interrupted",
        more="Serves the REST API at /api/v1, the CAP at /cap, the DP at /dp, /healthz and /metrics, and publishes what changes.\n"
        "Writes its address to DIR/site.url, where --site-dir finds it. A second run on one folder is refused.",
        examples=("purveyor site run /srv/purveyor", "purveyor site run /srv/purveyor --listen 0.0.0.0:8470"),
        codes=LOCAL,
    )
    run.add_argument("dir", metavar="DIR", help="the site's folder")
    run.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=listen_address,
        default=DEFAULT_LISTEN,
        help="address to listen on; port 0 takes a free one (default: 127.0.0.1:8470)",
    )
    site_keys.register(site)
