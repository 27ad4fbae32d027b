"""`purveyor join-code …`: codes with which machines join."""

from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import count, duration_seconds

_MODULE = "purveyor.cli.join_codes"


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    codes = root.noun("join-code", "codes with which machines join the site")
    create = codes.verb(
        "create",
        f"{_MODULE}:create",
        "make a join code, and print it alone",
        more="A machine that joins with it is a member at once, unless --approve says that an administrator must approve each one.\n"
        "The site keeps only a digest of the code: it cannot be shown again.",
        examples=("purveyor join-code create --uses 50 --expires 7d", "purveyor join-code create --approve"),
    )
    create.add_argument("--uses", metavar="N", type=count, help="how many machines may join with it (default: 1)", default=1)
    create.add_argument(
        "--expires", metavar="DURATION", type=duration_seconds, default=7 * 86_400, help="how long it is good for (default: 7d)"
    )
    create.add_argument("--approve", action="store_true", help="an administrator must approve each machine that joins with it")
    codes.verb("list", f"{_MODULE}:show_all", "list join codes: uses left, expiry", examples=("purveyor join-code list",))
    revoke = codes.verb("revoke", f"{_MODULE}:revoke", "make a join code worthless", examples=("purveyor join-code revoke 3",))
    revoke.add_argument("number", metavar="NUMBER", type=count, help="number of the code, as listed")
