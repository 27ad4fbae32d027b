"""What a restore leaves to people, as values: written into the audit, listed by `purveyor site restored`. Pure."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What kind of thing a person is to look at."""

    ADVERTISEMENT = "advertisement"  # paused until somebody releases it
    PACKAGE = "package"
    CONTENT = "content"
    COLLECTION = "collection"
    CLIENT = "client"
    KEY = "key"
    SETTING = "setting"
    POINT = "point"
    ACCESS = "access"
    NUMBERS = "numbers"


class Decision(NamedTuple):
    """One thing: what it is about (an id, or a word), and what happened and is to be done, in a sentence.

    `address`: of a point that would get another id.
    """

    kind: Kind
    about: str
    text: str
    address: str = ""


ALWAYS = (
    Decision(
        Kind.ACCESS,
        "tokens",
        "access tokens that were revoked after the backup are valid again: look at `purveyor token list`, revoke them again",
    ),
    Decision(
        Kind.ACCESS,
        "join codes",
        "join codes that were revoked or used up after the backup are valid again: look at `purveyor join-code list`",
    ),
)
OLDER_CAP = Decision(
    Kind.NUMBERS,
    "older access point",
    "the access point is older than a site restored from these backups before: if that site ever ran, restore with its CAP",
)
WITHOUT_HTTPS = Decision(
    Kind.POINT,
    "https",
    "clients look for this site over HTTPS, and backups hold no certificate: bring its folder https/ back, or run it with"
    " --https, which makes a new one (unless a proxy serves HTTPS)",
)
WITHOUT_CAP = (
    Decision(
        Kind.NUMBERS,
        "no access point",
        "no access point could be read: what was published after the backup is not known; clients forget packages made since",
    ),
    Decision(
        Kind.CLIENT,
        "removed clients",
        "clients that were removed or blocked after the backup are what they were before: remove or block them again;"
        " what is deleted waits for one that is gone (holder_age_limit_seconds)",
    ),
    Decision(
        Kind.KEY,
        "replaced keys",
        "clients that saw keys replaced after the backup do not follow this site: restore a backup that was made after it",
    ),
)
