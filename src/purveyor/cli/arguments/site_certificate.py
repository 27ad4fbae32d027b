"""`purveyor site certificate …`: HTTPS of the site itself, and the pins by which clients know it."""

import argparse

from purveyor.cli.arguments.shape import LOCAL, Noun

_MODULE = "purveyor.cli.site_certificate"
_FORCE = "although clients have not heard of that key: they report nothing until they have polled"


def register(site: Noun) -> None:
    """Adds the commands of this noun."""
    certificate = site.noun("certificate", "HTTPS of the site itself: its certificate, and the pins by which clients know it")
    make = _verb(
        certificate, "make", "make_own", "let the site serve HTTPS with a certificate of its own, or add names to it",
        "purveyor site certificate make --name site.example --name 10.1.0.5 --site-dir /srv/purveyor",
        more="No CA is needed: clients know its key, and the next one, by pins in their signed settings and in join codes.\n"
        "A running site serves HTTPS from its next start on. It renews the certificate in time by itself.",
    )  # fmt: skip
    make.add_argument(
        "--name", metavar="NAME", action="append", default=[], help="a name or address that people type; several times"
    )
    use = _verb(
        certificate, "use", "use", "serve HTTPS with a certificate from elsewhere; its files are read anew when they change",
        "purveyor site certificate use --certificate site.pem --key site.key --site-dir /srv/purveyor",
    )  # fmt: skip
    use.add_argument(
        "--certificate", metavar="FILE", required=True, help="the certificate in PEM, with those of its CAs behind it"
    )
    use.add_argument("--key", metavar="FILE", required=True, help="its key in PEM, without a passphrase")
    use.add_argument("--next-pin", metavar="PIN", default="", help="the pin of the key that is to follow: clients are told of it")
    use.add_argument("--no-pins", action="store_true", help="clients are told of no pins: the CAs of their systems decide")
    use.add_argument("--force", action="store_true", help=_FORCE)
    rotate = _verb(
        certificate, "rotate", "rotate", "let the next key come into use, and announce one to follow it",
        "purveyor site certificate rotate --site-dir /srv/purveyor",
        more="Refused until every member has said that it read settings which name that key, or for 30 days after they did.",
    )  # fmt: skip
    rotate.add_argument("--force", action="store_true", help=_FORCE)
    _verb(
        certificate, "list", "show", "show certificate, pins, and how many clients have not heard of the next key",
        "purveyor site certificate list --site-dir /srv/purveyor",
    )  # fmt: skip


def _verb(noun: Noun, verb: str, function: str, what: str, example: str, more: str = "") -> argparse.ArgumentParser:
    parser = noun.verb(verb, f"{_MODULE}:{function}", what, examples=(example,), codes=LOCAL, more=more)
    parser.add_argument("--site-dir", metavar="DIR", help="the site's folder (PURVEYOR_SITE_DIR)")
    return parser
