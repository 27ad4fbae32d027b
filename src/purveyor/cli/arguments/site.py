"""`purveyor site …`: making and running a site."""

from purveyor.cli.arguments import branches, site_certificate, site_keys
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
        "purveyor.cli.site_run:run",
        "run a site until it is interrupted",
        more="Serves the REST API at /api/v1, the CAP at /cap, the DP at /dp, /healthz and /metrics, and publishes what changes.\n"
        "Writes its address to DIR/site.url, where --site-dir finds it. A second run on one folder is refused.",
        examples=("purveyor site run /srv/purveyor", "purveyor site run /srv/purveyor --https --listen 0.0.0.0:8470"),
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
    run.add_argument(
        "--https",
        action="store_true",
        help="make a certificate for HTTPS if the site has none; where it has one, HTTPS is served without this too",
    )
    _register_backup(site)
    site_keys.register(site)
    site_certificate.register(site)


def _register_backup(site: Noun) -> None:
    backup = site.verb(
        "backup",
        "purveyor.cli.backup:make",
        "make a backup of a site, running or stopped; or read one back",
        more="Each backup is a folder of its own in DIR, complete from the moment in which it has its name; content is kept once for\n"
        "all of them. It holds the site's private keys and token unless --without-keys is said: keep it where keys are kept.\n"
        "docs/backup.md says what to back up, and how to come back.",
        examples=(
            "purveyor site backup /var/backups/purveyor --site-dir /srv/purveyor --keep 14",
            "purveyor site backup /var/backups/purveyor --verify",
        ),
        codes=LOCAL,
    )
    backup.add_argument("dir", metavar="DIR", help="folder of backups; made when it is not there, in one that is")
    backup.add_argument("--site-dir", metavar="DIR", help="the site's folder (PURVEYOR_SITE_DIR)")
    backup.add_argument("--keep", metavar="N", type=int, default=0, help="keep only the newest N of this site (default: all)")
    backup.add_argument("--without-keys", action="store_true", help="leave out private keys and the token: kept elsewhere")
    backup.add_argument(
        "--verify", action="store_true", help="make none: read the newest one in DIR back, or the one that DIR is"
    )
    restore = site.verb(
        "restore",
        "purveyor.cli.backup:restore",
        "make a site of a backup, and list what a person has to look at",
        more="DIR is empty, or has in it what outlived the old site: its CAP (which then says what was published after the backup),\n"
        "its DP, its content. Advertisements of which it is not certain that they stand are paused: advertisement resume\n"
        "releases one. docs/backup.md is the checklist.",
        examples=(
            "purveyor site restore /var/backups/purveyor/S01-20261201T030000Z /srv/purveyor",
            "purveyor site restore /var/backups/purveyor/S01-20261201T030000Z /srv/purveyor --cap http://branch.example/cap",
        ),
        codes=LOCAL,
    )
    restore.add_argument("backup", metavar="BACKUP", help="the backup: one folder in the folder of backups")
    restore.add_argument("dir", metavar="DIR", help="the folder of the site to make")
    restore.add_argument("--database", metavar="URL", help="PostgreSQL database to restore into; SQLite in DIR when not given")
    restore.add_argument("--replace", action="store_true", help="restore over the site that is there; its SQLite file is kept")
    restore.add_argument(
        "--cap",
        metavar="URL",
        action="append",
        default=[],
        help="a CAP elsewhere that may show what was published; may be repeated",
    )
    restore.add_argument("--keys", metavar="DIR", help="folder of private keys, for a backup without them")
    branches.add_doors(restore)
    site.verb(
        "restored",
        "purveyor.cli.backup:show_restored",
        "list what the newest restore left to people",
        more="With --site-dir DIR it is read there: the site need not run.",
        examples=("purveyor site restored --site-dir /srv/purveyor", "purveyor site restored"),
    )
