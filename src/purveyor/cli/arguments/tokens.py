"""`purveyor token …`: access tokens of people and scripts."""

from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import count

_MODULE = "purveyor.cli.tokens"


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    tokens = root.noun("token", "access tokens of people and scripts")
    create = tokens.verb(
        "create",
        f"{_MODULE}:create",
        "make an access token, and print it alone",
        more="The site keeps only a digest of the token: it cannot be shown again.",
        examples=("purveyor token create reporting --role reader",),
    )
    create.add_argument("name", metavar="NAME", help="who or what will use it; stands in the audit")
    create.add_argument("--role", choices=("admin", "reader"), default="admin", help="reader may only look (default: admin)")
    tokens.verb("list", f"{_MODULE}:show_all", "list access tokens", examples=("purveyor token list",))
    revoke = tokens.verb("revoke", f"{_MODULE}:revoke", "make an access token worthless", examples=("purveyor token revoke 2",))
    revoke.add_argument("number", metavar="NUMBER", type=count, help="number of the token, as listed")
