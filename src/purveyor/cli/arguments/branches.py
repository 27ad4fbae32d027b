"""`purveyor cap mirror` and `purveyor courier …`: how a branch gets what a site publishes, by line or by hand."""

import argparse
from collections.abc import Mapping

from purveyor.cli.arguments.shape import LOCAL, Noun
from purveyor.cli.arguments.values import duration_seconds, size_bytes

_MIRROR_CODES: Mapping[int, str] = {
    **LOCAL,
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
    rhythm = verb.add_mutually_exclusive_group()
    rhythm.add_argument("--once", action="store_true", help="one pass, then end (as when nothing is said)")
    rhythm.add_argument("--every", metavar="DURATION", type=duration_seconds, help="a pass each 5m, say, until interrupted")
    verb.add_argument("--up", action="store_true", help="have up boxes, and carry what clients put there to the source")
    verb.add_argument("--limit", metavar="SIZE", type=size_bytes, default=0, help="read no more than this a second, 500K say")
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
