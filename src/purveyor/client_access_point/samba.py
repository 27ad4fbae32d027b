"""The share definitions with which Samba shows a site's CAP and DP: down boxes to be read, up boxes to drop items into.

Pure text. The rights are those of the folders themselves, so the kernel holds them whatever Samba is told: clients come as one
account, which owns nothing. What they drop belongs to the site from its first byte (`inherit owner`); in a box that is
sticky and cannot be listed they can neither read, replace nor remove it. So items are written in a folder of their own.
Source: smb.conf(5); the sticky bit, chmod(2).
"""

import re
from dataclasses import dataclass

from purveyor.transport.folder.shelf import ARRIVING, ASIDE, UP_MODE
from purveyor.wire.boxes import UP_BOXES
from purveyor.wire.errors import RefusedError

CLIENTS = "purveyor-clients"
ARRIVING_MODE = 0o730
"""Not sticky: from here clients move their items into a box. Nobody but the owner can list it."""
COMMAND = "#   "
"""How a line of the comments begins that is a command."""
_SAFE_FOLDER = re.compile(r"/[A-Za-z0-9_./ @+,:=-]*")
_SAFE_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the definitions are made from. `account` is the system's account as which all clients come, and its group."""

    cap_folder: str
    dp_folder: str
    site_user: str
    account: str = CLIENTS


def samba_configuration(plan: Plan) -> str:
    """A file for Samba's `include =`, or for the end of its `smb.conf`.

    Errors: RefusedError when a folder or name holds a sign that Samba or a shell would take for its own.
    """
    _check(plan)
    return "\n".join([_preparation(plan), _cap_share(plan), _dp_share(plan)])


def _check(plan: Plan) -> None:
    for folder in (plan.cap_folder, plan.dp_folder):
        if not _SAFE_FOLDER.fullmatch(folder) or ".." in folder.split("/") or folder.rstrip("/ ") != folder:
            raise RefusedError(f"Samba cannot share {folder!r}: an absolute path without quotes, %, $ or semicolons is needed")
    for name in (plan.account, plan.site_user):
        if not _SAFE_NAME.fullmatch(name):
            raise RefusedError(f"{name!r} is no name of an account")
    if plan.account == plan.site_user:
        raise RefusedError(f"clients cannot come as {plan.site_user}, who owns the boxes: an account of their own is needed")


def _preparation(plan: Plan) -> str:
    boxes = " ".join(box.name for box in UP_BOXES)
    user = plan.account
    return f"""\
# Purveyor's CAP and DP as shares of Samba. Debian: `apt install samba`. Clients come as the account {user}, which is
# for nothing else; the site, as {plan.site_user}, owns the folders. Once, as root:
#   getent group {user} > /dev/null || groupadd --system {user}
#   id {user} > /dev/null 2>&1 || useradd --system --gid {user} --no-create-home --shell /usr/sbin/nologin {user}
#   smbpasswd -a {user}
#   cd '{plan.cap_folder}'
#   install -d -o {plan.site_user} -g {user} -m 0{ARRIVING_MODE:o} {ARRIVING}
#   chgrp {user} {boxes}
#   chmod {UP_MODE:o} {boxes}
# `smbpasswd` asks for the password: a long random one. Put this file's name behind `include =` in the [global] section of
# /etc/samba/smb.conf, look at it with `testparm`, then `systemctl reload smbd`.
# Every folder above must let {user} pass (chmod o+x FOLDER), and the site write with umask 022, which systemd gives it.
#
# Space: Samba knows no limit for one item; the site refuses items that are too large and closes a box in which too many wait.
# To bound what clients can ever fill, put the CAP on a file system or into a project quota of its own.
"""


def _cap_share(plan: Plan) -> str:
    own = f"""\
    read only = no
    inherit owner = unix only
    create mask = 0600
    directory mask = 0700
    store dos attributes = no
    map archive = no
    map hidden = no
    map system = no
    map readonly = no
    veto files = /{ASIDE}/.nginx/
"""
    return _share(plan, plan.cap_folder, "down boxes to read, up boxes to drop items into", own)


def _dp_share(plan: Plan) -> str:
    return _share(plan, plan.dp_folder, "content to read", "    read only = yes\n")


def _share(plan: Plan, folder: str, comment: str, own: str) -> str:
    return f"""\
[{folder.rpartition("/")[2]}]
    comment = Purveyor: {comment}
    path = {folder}
    valid users = {plan.account}
    guest ok = no
    browseable = no
    smb encrypt = required
{own}\
    nt acl support = no
    ea support = no
    follow symlinks = no
    wide links = no
    case sensitive = yes
    oplocks = no
    level2 oplocks = no
    csc policy = disable
    vfs objects =
"""
