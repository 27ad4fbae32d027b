"""`purveyor cap …` and `purveyor demo`: what stands beside a site."""

from purveyor.cli.arguments import branches
from purveyor.cli.arguments.shape import LOCAL, Noun
from purveyor.cli.arguments.values import listen_address


def register(root: Noun) -> None:
    """Adds the commands of these nouns."""
    cap = root.noun("cap", "client access points")
    nginx = cap.verb(
        "nginx-config",
        "purveyor.cli.cap:nginx_config",
        "print a configuration with which plain nginx serves a site's CAP and DP",
        examples=(
            "purveyor cap nginx-config /srv/purveyor --listen 0.0.0.0:80 --server-name cap.example > /etc/nginx/conf.d/purveyor.conf",
        ),
        codes=LOCAL,
    )
    nginx.add_argument("dir", metavar="DIR", help="the site's folder")
    nginx.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=listen_address,
        default=("0.0.0.0", 80),
        help="address to listen on (default: 0.0.0.0:80)",
    )
    nginx.add_argument("--server-name", metavar="N", default="_", help="the host name that clients use (default: any)")
    smb = cap.verb(
        "smb-config",
        "purveyor.cli.cap:smb_config",
        "print share definitions with which Samba shows a site's CAP and DP, and the commands that set the rights",
        examples=("purveyor cap smb-config /srv/purveyor > /etc/samba/purveyor.conf",),
        codes=LOCAL,
        more="Clients then join with smb://SERVER/CAP_S01 and a file of credentials; docs/smb.md shows it step by step.",
    )
    smb.add_argument("dir", metavar="DIR", help="the site's folder")
    smb.add_argument(
        "--account",
        metavar="NAME",
        default="",
        help="the account as which clients come, and its group (default: purveyor-clients)",
    )
    policy = cap.verb(
        "s3-policy",
        "purveyor.cli.cap:s3_policy",
        "print the bucket policy with which clients may read a CAP or DP in a bucket, and nothing else",
        examples=("purveyor cap s3-policy s3://bucket/CAP_S01", "purveyor cap s3-policy s3://bucket/DP_S01 --tell-absent"),
        codes=LOCAL,
        more="A bucket has one policy: join the statements of several prefixes in one. docs/points.md shows it step by step.",
    )
    policy.add_argument("place", metavar="s3://BUCKET/PREFIX", help="where the site pushes to")
    policy.add_argument(
        "--tell-absent",
        action="store_true",
        help="let everybody list the prefix too: AWS says 404 only to who may, and 403 to all others",
    )
    branches.register_mirror(cap)
    demo = root.verb(
        "demo",
        "purveyor.cli.demo:main",
        "show the whole main job: a site, three clients, a package out, its truth back, deleted and forgotten",
        examples=("purveyor demo", "purveyor demo --once"),
        codes=LOCAL,
    )
    demo.add_argument("--once", action="store_true", help="end when it is done, with an exit code")
    demo.add_argument("--dir", metavar="DIR", help="folder to work in (default: one that is removed at the end)")
    demo.add_argument("--listen", metavar="HOST:PORT", help="address to listen on (default: 127.0.0.1:8470, or a free port)")
