"""`purveyor status`, `purveyor settings …` and `purveyor audit …`: looking after the site as a whole."""

from purveyor.cli.arguments.moments import local_moment
from purveyor.cli.arguments.shape import Noun
from purveyor.cli.arguments.values import count

KINDS = ("package", "program", "advertisement", "collection", "client", "messages")


def register(root: Noun) -> None:
    """Adds the commands of these nouns."""
    status = root.verb(
        "status",
        "purveyor.cli.status:show",
        "show what became of a package, program, advertisement, collection or client, or its status messages",
        more="The first word says what the ids are; without it an id speaks for itself. A program is PACKAGE/PROGRAM, by name or number.\n"
        "`status messages` without an id shows the newest messages of all clients and points.",
        examples=(
            "purveyor status package S0100001",
            "purveyor status program S0100001/Install",
            "purveyor status client ws-001",
            "purveyor status messages S0120001 --limit 20",
            "purveyor status messages --point cap2",
            "purveyor status messages --since 2026-12-01T09:00 --until 2026-12-01T10:00",
        ),
    )
    status.add_argument("words", metavar="[" + "|".join(KINDS) + "] ID", nargs="+", help="what to show")
    status.add_argument(
        "--limit", metavar="N", type=count, default=100, help="messages to show at most, the newest (default: 100)"
    )
    status.add_argument("--point", metavar="POINT", help="only messages of this point, which the site itself tells")
    for word, what in (("--since", "then or later"), ("--until", "before then")):
        help_text = f"only messages that arrived {what}: 2026-12-01T09:00, or 2h for two hours ago"
        status.add_argument(word, metavar="TIME", type=local_moment, help=help_text)

    settings = root.noun("settings", "how the site and its clients behave")
    settings.verb(
        "show",
        "purveyor.cli.settings:show",
        "show the settings, and which of them differ from the default",
        examples=("purveyor settings show",),
    )
    change = settings.verb(
        "set",
        "purveyor.cli.settings:change",
        "change a setting",
        more="docs/settings.md says what each of them means.",
        examples=(
            "purveyor settings set poll_interval_seconds 900",
            "purveyor settings set may_restart yes",
            "purveyor settings set bandwidth 'mon-fri 08:00-18:00 512K; otherwise unlimited'",
        ),
    )
    change.add_argument("name", metavar="NAME", help="the setting, as shown")
    change.add_argument(
        "value",
        metavar="VALUE",
        help="its new value: a number, yes or no, or a budget; a name that ends in _seconds also takes 15m, 1h",
    )

    audit = root.noun("audit", "who changed what, and when")
    listing = audit.verb(
        "list",
        "purveyor.cli.audit:show_all",
        "list changes, the newest first",
        examples=("purveyor audit list --object S0100001",),
    )
    listing.add_argument("--object", metavar="ID", help="only changes of this object")
    listing.add_argument("--limit", metavar="N", type=count, default=100, help="changes to show at most (default: 100)")
