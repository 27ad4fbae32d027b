"""`purveyor why`: the chain from membership to result."""

from collections.abc import Mapping

from purveyor.cli.arguments.shape import ADMINISTRATIVE, Noun

CODES: Mapping[int, str] = {
    **ADMINISTRATIVE,
    0: "it is there",
    1: "it is not there, or that is not known, and the output says why; or the site refused the question",
}


def register(root: Noun) -> None:
    """Adds the command."""
    why = root.verb(
        "why",
        "purveyor.cli.why:show",
        "explain why a package or program is on a client, or is not, and who acts next",
        more=(
            "Every link from membership to result is shown with its evidence: [ok] it holds, [no] it is missing, [??] the site\n"
            "cannot know. The last line names the first link that is missing, and who acts next.\n"
            "Without a program, those that reach the client are explained. docs/why.md lists the links."
        ),
        examples=("purveyor why ws-001 S0100001", "purveyor why ws-001 S0100001/Install --brief"),
        codes=CODES,
        is_administrative=True,
    )
    why.add_argument("client", metavar="CLIENT", help="the client's id or name; a machine that was refused, too")
    why.add_argument("subject", metavar="PACKAGE[/PROGRAM]", help="the package's id, and the program's number or name")
    why.add_argument("--brief", action="store_true", dest="is_brief", help="the last line alone")
