"""`purveyor point …`: the CAPs and DPs of a site."""

import argparse

from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import budget, weight

_MODULE = "purveyor.cli.points"
_MORE = (
    "URL is what clients use. --push-to is where the site itself writes: a folder of its machine, smb://SERVER/SHARE or\n"
    "s3://BUCKET/PREFIX. Without it a mirror fills the point (purveyor cap mirror). docs/points.md shows it step by step."
)


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    points = root.noun("point", "the CAPs and DPs of a site: where clients find boxes and content")
    add = points.verb(
        "add",
        f"{_MODULE}:add",
        "add a CAP or DP, and print its id alone",
        more=_MORE,
        examples=(
            "purveyor point add cap https://branch.example/cap --push-to /srv/branch/CAP_S01 --network 10.1.0.0/16",
            "purveyor point add dp smb://files.example/DP_S01 --push-to smb://files.example/DP_S01 --credentials /etc/purveyor/share",
            "purveyor point add cap https://bucket.example/CAP_S01 --push-to s3://bucket/CAP_S01 --credentials /etc/purveyor/s3",
        ),
    )
    add.add_argument("kind", metavar="cap|dp", choices=("cap", "dp"), help="cap: boxes; dp: content")
    add.add_argument("url", metavar="URL", help="its address, as clients use it")
    _add_said(add)
    edit = _by_id(
        points,
        "edit",
        "change a point; what is not given stays",
        "purveyor point edit dp2 --bandwidth 'mon-fri 08:00-18:00 512K'",
    )
    edit.add_argument("--url", metavar="URL", help="its address, as clients use it")
    _add_said(edit)
    edit.add_argument("--refill", action="store_true", help="write everything there anew, into a folder that was emptied")
    listing = points.verb(
        "list",
        f"{_MODULE}:show_all",
        "list points: state, how far each is behind, when a push last succeeded, and what is wrong",
        examples=("purveyor point list", "purveyor point list --all --json"),
    )
    listing.add_argument("--all", action="store_true", help="those that were removed too")
    _by_id(points, "show", "show all that is known of a point", "purveyor point show cap2")
    drain = _by_id(
        points, "drain", "let clients leave a point; the site goes on filling it and collecting", "purveyor point drain cap2"
    )
    drain.add_argument("--force", action="store_true", help="even the last one of its kind")
    _by_id(points, "resume", "let clients use a draining point again", "purveyor point resume cap2")
    remove = _by_id(
        points,
        "remove",
        "remove a drained point; then the site takes away what it put there, and nothing else",
        "purveyor point remove cap2",
    )
    remove.add_argument(
        "--leave", action="store_true", help="leave there what the site put there, also where it is being taken away"
    )
    remove.add_argument("--force", action="store_true", help="before clients have left it, or the last one of its kind")


def _by_id(points: Noun, verb: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = points.verb(verb, f"{_MODULE}:{verb}", what, examples=(example,))
    parser.add_argument("id", metavar="ID", help="the point's id, as listed")
    return parser


def _add_said(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--push-to", metavar="PLACE", help="where the site writes; '' leaves it to a mirror")
    parser.add_argument(
        "--credentials",
        metavar="FILE",
        help="for a share or bucket, also a share that a mirror fills: a file on the site's machine that says as whom",
    )
    parser.add_argument("--endpoint", metavar="URL", help="the bucket's server, when it is not AWS")
    parser.add_argument("--region", metavar="NAME", help="the bucket's region")
    parser.add_argument(
        "--network", metavar="CIDR", action="append", help="a network that it is for, 10.1.0.0/16 say; several times; '' for none"
    )
    parser.add_argument(
        "--pin", metavar="PIN", action="append", help="a key of its HTTPS server, SHA-256 in base64; several times; '' for none"
    )
    parser.add_argument(
        "--bandwidth",
        metavar="BUDGET",
        type=budget,
        help="how fast a DP is filled, or the site's own one served, as 'mon-fri 08:00-18:00 512K; otherwise unlimited'; '' for "
        "unlimited",
    )
    parser.add_argument(
        "--filled",
        action="store_true",
        help="a mirror has filled this CAP: tell clients of it though the site has no way there to see that",
    )
    parser.add_argument("--weight", metavar="N", type=weight, help="its share among points equally near (default: 100)")
