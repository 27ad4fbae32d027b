"""`purveyor cap mirror` and `purveyor courier …`: how a branch gets what a site publishes, by line or by hand."""

import argparse
from collections.abc import Mapping

from purveyor.cli.arguments.shape import LOCAL, Noun
from purveyor.cli.arguments.values import budget, duration_seconds

_MIRROR_CODES: Mapping[int, str] = {
    **LOCAL,
    0: "the copy is whole, or waits for an hour in which its budget allows something",
    3: "the copy is not whole: the source cannot be reached, is behind or damaged; what was served before is served on",
}


def register_mirror(cap: Noun) -> None:
    """Adds `purveyor cap mirror`."""
    verb = cap.verb(
        "mirror",
        "purveyor.cli.mirror:mirror",
        "copy a CAP, and its DP, into a folder, a share or a bucket of a branch, and keep the copy whole",
        examples=(
            "purveyor cap mirror http://site.example:8470/cap /srv/branch/CAP_S01 --code S01-1-… "
            "--dp http://site.example:8470/dp /srv/branch/DP_S01 --up --every 5m",
            "purveyor cap mirror http://site.example:8470/cap /srv/branch/CAP_S01",
        ),
        codes=_MIRROR_CODES,
        more="The source is any point that can be read: http://, https://, smb://, or a folder. The mirror holds no key and calls its\n"
        "source alone; it copies only what the site signed, beginning at the root that the join code names. docs/branches.md\n"
        "says how its clients find it.",
    )
    verb.add_argument("source", metavar="SOURCE", help="the CAP to copy")
    verb.add_argument("target", metavar="TARGET", help="where to: a folder, smb://SERVER/SHARE or s3://BUCKET/PREFIX")
    verb.add_argument("--dp", nargs=2, metavar=("SOURCE_DP", "TARGET_DP"), help="copy what is offered of this DP too, to there")
    add_pin(verb)
    verb.add_argument(
        "--pin",
        metavar="PIN",
        action="append",
        help="a key of an HTTPS source, SHA-256 in base64; counts until the site names others",
    )
    verb.add_argument(
        "--ca", metavar="FILE", default="", help="certificates of the CAs that vouch for an HTTPS source, in place of pins"
    )
    rhythm = verb.add_mutually_exclusive_group()
    rhythm.add_argument("--once", action="store_true", help="one pass, then end (as when nothing is said)")
    rhythm.add_argument("--every", metavar="DURATION", type=duration_seconds, help="a pass each 5m, say, until interrupted")
    verb.add_argument("--up", action="store_true", help="have up boxes, and carry what clients put there to the source")
    verb.add_argument(
        "--limit",
        metavar="BUDGET",
        type=budget,
        default="",
        help="read no more than this a second: 500K, or by hour, 'mon-fri 08:00-18:00 100K; otherwise unlimited'",
    )
    add_doors(verb)


def add_pin(verb: argparse.ArgumentParser) -> None:
    """The options that say from which root a copy begins."""
    verb.add_argument("--code", metavar="CODE", default="", help="a join code: names the root to begin from; - reads it")
    verb.add_argument("--root", metavar="FILE", default="", help="or that root itself; either is needed only the first time")


def add_doors(verb: argparse.ArgumentParser) -> None:
    """The options for shares and buckets."""
    verb.add_argument("--credentials", metavar="FILE", default="", help="for shares: a file with username= and password=")
    verb.add_argument("--bucket-credentials", metavar="FILE", default="", help="for a bucket: a file with its access key")
    verb.add_argument("--endpoint", metavar="URL", default="", help="the bucket's server, when it is not AWS")
    verb.add_argument("--region", metavar="NAME", default="", help="the bucket's region")


def register(root: Noun) -> None:
    """Adds `purveyor courier …`."""
    courier = root.noun("courier", "carry by hand what a site publishes, and bring back what clients say")
    _register_export(courier)
    _register_import(courier)
    reports = courier.noun("reports", "bring back what clients say, by hand")
    collect = reports.verb(
        "export",
        "purveyor.cli.courier:collect",
        "move the items that wait in a copy's up boxes onto a stick",
        examples=("purveyor courier reports export /srv/island/CAP_S01 /media/stick/reports-17",),
        codes=LOCAL,
    )
    collect.add_argument("target", metavar="TARGET", help="the copy whose up boxes are emptied")
    collect.add_argument("bundle", metavar="DIR", help="a new or empty folder on the stick")
    add_doors(collect)
    deliver = reports.verb(
        "import",
        "purveyor.cli.courier:deliver",
        "put the items of a stick into a site's up boxes, as they are",
        examples=("purveyor courier reports import /media/stick/reports-17 http://site.example:8470/cap",),
        codes={
            **LOCAL,
            1: "some items are missing or damaged; the others were put",
            3: "the site does not take all now: try again",
        },
    )
    deliver.add_argument("bundle", metavar="DIR", help="the folder on the stick")
    deliver.add_argument("source", metavar="CAP", help="the site's CAP: an address, a share or a folder")
    deliver.add_argument("--credentials", metavar="FILE", default="", help="for shares: a file with username= and password=")


def _register_export(courier: Noun) -> None:
    verb = courier.verb(
        "export",
        "purveyor.cli.courier:send",
        "put all that a site publishes onto a stick, with a signed list of it",
        examples=(
            "purveyor courier export /media/stick/s01 --site-dir /srv/purveyor",
            "purveyor courier export /media/stick/s01 --site-dir /srv/purveyor --since receipt.json --content needed",
        ),
        codes=LOCAL,
        more="On the site's own machine; the site may run meanwhile. A bundle without --since is complete.",
    )
    verb.add_argument("bundle", metavar="FILE|DIR", help="a new file whose name ends in .tar, or a new or empty folder")
    verb.add_argument("--site-dir", metavar="DIR", help="the site's folder (PURVEYOR_SITE_DIR)")
    verb.add_argument("--since", metavar="RECEIPT", default="", help="leave out what this receipt of an import says is there")
    verb.add_argument(
        "--content",
        choices=("all", "needed"),
        default="needed",
        help="content of every package, or of those that are offered to somebody (default: needed)",
    )


def _register_import(courier: Noun) -> None:
    verb = courier.verb(
        "import",
        "purveyor.cli.courier:take",
        "take a bundle into a copy of a CAP and DP, once all of it is seen to be there and undamaged",
        examples=(
            "purveyor courier import /media/stick/s01 /srv/island/CAP_S01 --dp /srv/island/DP_S01 --code S01-1-…",
            "purveyor courier import /media/stick/s01 /srv/island/CAP_S01 --dp /srv/island/DP_S01",
        ),
        codes={**LOCAL, 1: "not the site's, not whole, or for another base; what is served is as it was"},
        more="An older bundle than what is there changes nothing. The receipt, for the next --since, is TARGET/_mirror/receipt.json.",
    )
    verb.add_argument("bundle", metavar="FILE|DIR", help="the file or folder on the stick; a file is unpacked beside itself")
    verb.add_argument("target", metavar="TARGET", help="the copy: a folder, smb://SERVER/SHARE or s3://BUCKET/PREFIX")
    verb.add_argument("--dp", metavar="TARGET_DP", default="", help="where its content goes")
    verb.add_argument("--up", action="store_true", help="have up boxes, whose items `courier reports export` brings back")
    add_pin(verb)
    verb.add_argument("--receipt", metavar="FILE", default="", help="write the receipt to this file too")
    add_doors(verb)
