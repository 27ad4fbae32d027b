"""`purveyor site keys …`: which keys count, where they are, new ones, and signing away from the server."""

from purveyor.cli.arguments.shape import ADMINISTRATIVE, LOCAL, Noun

_MODULE = "purveyor.cli.site_keys"
ROLES = ("root", "targets", "packages", "agent", "offers", "settings", "snapshot", "timestamp", "lookup", "sealing")
OFFLINE = ("root", "targets", "packages", "agent")
_PASSPHRASE = "file whose first line is the passphrase that protects the key file"  # noqa: S105 - help, no secret


def register(site: Noun) -> None:
    """Adds the commands of this noun."""
    keys = site.noun("keys", "the site's keys: which count, where they are, new ones, signing away from the server")
    listing = keys.verb(
        "list",
        f"{_MODULE}:show_all",
        "list the keys: role, id, where the private half is, since when, when what it signed expires",
        examples=("purveyor site keys list", "purveyor site keys list --all --json"),
    )
    listing.add_argument("--all", action="store_true", help="retired ones too")
    rotate = keys.verb(
        "rotate",
        f"{_MODULE}:rotate",
        "let new keys follow those of some roles",
        more="Everything that names or is signed by them is signed anew, in order; clients that are away follow when they are back.\n"
        "After a theft of the server: purveyor site keys rotate offers settings snapshot timestamp lookup sealing\n"
        "The key of a role that lives elsewhere is made there: purveyor site keys make; docs/keys.md shows it step by step.",
        examples=("purveyor site keys rotate timestamp", "purveyor site keys rotate packages --public packages.pub"),
    )
    rotate.add_argument("roles", metavar="ROLE", nargs="+", choices=ROLES, help="one of: " + ", ".join(ROLES))
    rotate.add_argument("--public", metavar="FILE", help="file with the public half of a key that was made elsewhere")
    rotate.add_argument("--here", action="store_true", help="make the key on this server though that of the role lives elsewhere")
    export = keys.verb(
        "export",
        f"{_MODULE}:export",
        "write what waits for keys that are elsewhere into one file, with what it changes",
        more="One request is open at a time. Whoever signs sees by themselves what changes.",
        examples=("purveyor site keys export --to request.json", "purveyor site keys export --to request.json --anew"),
    )
    export.add_argument("--to", metavar="FILE", required=True, help="new file for the request")
    export.add_argument(
        "--anew", action="store_true", help="in the place of the open request, whose answer is then worth nothing"
    )
    show = keys.verb("request", f"{_MODULE}:request", "show the open signing request", examples=("purveyor site keys request",))
    show.add_argument("--to", metavar="FILE", help="write its file once more")
    show.add_argument("--drop", action="store_true", help="give it up instead")
    sign = keys.verb(
        "sign",
        f"{_MODULE}:sign",
        "show what a request changes, and sign it; on any machine, with no site",
        more="Nothing is written before --yes was said, or `yes` typed. Several keys sign in one answer, or in several.",
        examples=("purveyor site keys sign request.json --key packages.key --to answer.json",),
        codes=LOCAL,
    )
    sign.add_argument("request", metavar="REQUEST", help="the file that the site exported")
    sign.add_argument("--key", metavar="FILE", action="append", required=True, help="a private key; may be given several times")
    sign.add_argument("--to", metavar="FILE", help="new file for the answer (default: REQUEST with .answer in its end's place)")
    sign.add_argument("--passphrase-file", metavar="FILE", help=_PASSPHRASE)
    sign.add_argument("--yes", action="store_true", dest="is_confirmed", help="confirm: what is shown is to be signed")
    answer = keys.verb(
        "import",
        f"{_MODULE}:import_answer",
        "take signatures in, and publish what they were waited for",
        examples=("purveyor site keys import answer.json",),
    )
    answer.add_argument("answer", metavar="ANSWER", help="the file that came back")
    _register_moving(keys)


def _register_moving(keys: Noun) -> None:
    """The commands that make key files and move them."""
    make = keys.verb(
        "make",
        f"{_MODULE}:make",
        "make a new key in a file, away from the site, and print its public half",
        examples=("purveyor site keys make packages.key",),
        codes=LOCAL,
    )
    make.add_argument("file", metavar="FILE", help="new file for the private half; the public one comes into FILE.pub")
    make.add_argument("--passphrase-file", metavar="FILE", help=_PASSPHRASE)
    remove = keys.verb(
        "remove",
        f"{_MODULE}:remove",
        "move the private half of a role's key from the server into a file",
        more="On the site's own machine, with --site-dir. The file is read back before the server's own is destroyed.",
        examples=("purveyor site keys remove packages --to /media/stick/packages.key --site-dir /srv/purveyor",),
        codes=ADMINISTRATIVE,
    )
    remove.add_argument("role", metavar="ROLE", choices=OFFLINE, help="one of: " + ", ".join(OFFLINE))
    remove.add_argument("--to", metavar="FILE", required=True, help="new file for the key")
    remove.add_argument("--passphrase-file", metavar="FILE", help=_PASSPHRASE)
    restore = keys.verb(
        "restore",
        f"{_MODULE}:restore",
        "bring a private key back to the server from a file, which stays",
        more="On the site's own machine, with --site-dir.",
        examples=("purveyor site keys restore /media/stick/packages.key --site-dir /srv/purveyor",),
        codes=ADMINISTRATIVE,
    )
    restore.add_argument("file", metavar="FILE", help="the file with the key")
    restore.add_argument("--passphrase-file", metavar="FILE", help=_PASSPHRASE)
