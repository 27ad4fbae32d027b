"""Who is logged on at the real machine, and how power and network stand."""

import grp
import os
import pwd

from purveyor.client.machine.interface import Account, Surroundings


def surroundings() -> Surroundings:
    """Who is logged on, and how power and network stand, looked at now."""
    return Surroundings()


def account(user: str) -> Account | None:
    """The account of a user; None: there is none."""
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return None
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(name=found.pw_name, user_id=found.pw_uid, group_id=found.pw_gid, group_ids=groups, home=found.pw_dir)


def group_names(group_ids: tuple[int, ...]) -> tuple[str, ...]:
    """The names of these groups, those that have one."""
    return tuple(entry.gr_name for entry in grp.getgrall() if entry.gr_gid in group_ids)
