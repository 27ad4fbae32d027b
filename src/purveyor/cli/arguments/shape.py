"""How every command is declared: its help, its example, its exit codes, and the options that all commands share."""

import argparse
from collections.abc import Mapping

DONE = "done"
ADMINISTRATIVE: Mapping[int, str] = {
    0: DONE,
    1: "refused by the site, or a confirmation (--yes) is needed; nothing was changed",
    2: "wrong usage",
    3: "the site cannot be reached, or failed",
    4: "not allowed: no token, an unknown or revoked one, or one that may only read",
}
LOCAL: Mapping[int, str] = {
    0: DONE,
    1: "refused; nothing was changed",
    2: "wrong usage",
    3: "something that is needed is not there now",
}

_SPACE = "\n  "


class Noun:
    """A place in the tree of commands to which verbs, and nouns below it, are added."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._verbs = parser.add_subparsers(metavar="COMMAND", title="commands")

    def noun(self, name: str, what: str) -> "Noun":
        """A noun below this one."""
        parser = self._verbs.add_parser(name, help=what, description=_sentence(what), allow_abbrev=False, formatter_class=_Plain)
        parser.set_defaults(parser_of_noun=parser)
        return Noun(parser)

    def verb(
        self,
        name: str,
        run: str,
        what: str,
        *,
        examples: tuple[str, ...],
        more: str = "",
        codes: Mapping[int, str] = ADMINISTRATIVE,
        is_administrative: bool = False,
    ) -> argparse.ArgumentParser:
        """A command. `run` names the function that carries it out, as `module:function`.

        `is_administrative`: it asks a site, though its exit codes are its own.
        """
        parser = self._verbs.add_parser(
            name,
            help=what,
            description=_sentence(what) + ("\n\n" + more if more else ""),
            epilog=_epilog(examples, codes),
            allow_abbrev=False,
            formatter_class=_Plain,
        )
        parser.set_defaults(run=run, parser_of_verb=parser)
        add_shared_options(parser, is_administrative=is_administrative or codes is ADMINISTRATIVE, is_verb=True)
        return parser


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Help text as it is written, 100 columns wide, so that it is the same on every terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


def root_parser(version: str) -> argparse.ArgumentParser:
    """The parser of `purveyor` itself, with no command yet."""
    parser = argparse.ArgumentParser(
        prog="purveyor",
        description="Distributes software to fleets of machines and tells the truth about what became of it.",
        epilog=_epilog(
            ("purveyor demo", "purveyor package add ./7zip --name 7-Zip --version 24.08", "purveyor package add --help"),
            ADMINISTRATIVE,
        ),
        allow_abbrev=False,
        formatter_class=_Plain,
    )
    parser.add_argument("--version", action="version", version=f"purveyor {version}")
    add_shared_options(parser, is_administrative=True, is_verb=False)
    return parser


def add_shared_options(parser: argparse.ArgumentParser, *, is_administrative: bool, is_verb: bool) -> None:
    """The options that may stand before the noun or after the verb; what stands after wins."""
    unset = argparse.SUPPRESS if is_verb else None
    group = parser.add_argument_group("options of all commands")
    if is_administrative:
        group.add_argument("--site", metavar="URL", default=unset, help="the site's address (PURVEYOR_SITE)")
        group.add_argument(
            "--token-file",
            metavar="FILE",
            default=unset,
            help="file that holds the access token (PURVEYOR_TOKEN holds the token itself)",
        )
        group.add_argument(
            "--ca",
            metavar="FILE",
            default=unset,
            help="over HTTPS: the CAs to ask, or the site's own certificate, in PEM (PURVEYOR_CA); the system's when not given",
        )
        group.add_argument(
            "--site-dir",
            metavar="DIR",
            default=unset,
            help="on the site's own machine: its folder, which has both (PURVEYOR_SITE_DIR)",
        )
    group.add_argument(
        "--json",
        action="store_true",
        dest="is_json",
        default=argparse.SUPPRESS if is_verb else False,
        help="print JSON for programs to read",
    )


def add_yes(parser: argparse.ArgumentParser, what: str) -> None:
    """The option that confirms."""
    parser.add_argument("--yes", action="store_true", dest="is_confirmed", help=f"confirm: {what}")


def _sentence(what: str) -> str:
    return what[:1].upper() + what[1:] + ("" if what.endswith(".") else ".")


def _epilog(examples: tuple[str, ...], codes: Mapping[int, str]) -> str:
    title = "Example:" if len(examples) == 1 else "Examples:"
    meanings = (f"{code}  {meaning}" for code, meaning in codes.items())
    return title + _SPACE + _SPACE.join(examples) + "\n\nExit codes:" + _SPACE + _SPACE.join(meanings)
