"""The rows of keys and of signing requests, over every database."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from purveyor.site_server.admin import audit, packages
from purveyor.site_server.custody import keys as custody
from purveyor.site_server.custody import requests
from purveyor.site_server.database import site_keys
from purveyor.site_server.database.site_keys import KeyState, RequestState
from purveyor.site_server.keys import OFFLINE, ROLES, Keyring, keyring_of, make_keys
from purveyor.site_server.publish import turn
from purveyor.wire.errors import RefusedError
from site_rows import ANNA, NOW, add_site

BY = {"by": ANNA, "now": NOW}


@pytest.fixture
def keyring(tx: Connection) -> Keyring:
    """A site that has just been made, and its keys."""
    add_site(tx)
    made = make_keys()
    turn.create(tx, keys=made, bin_bits=1, now=NOW)
    return keyring_of(made)


def current(tx: Connection, role: str) -> str:
    """The id of the key of a role that counts."""
    return site_keys.keys_in(tx, KeyState.CURRENT)[role].id


def test_the_keys_of_a_new_site_are_all_here_and_listed_by_role(tx: Connection, keyring: Keyring) -> None:
    rows = custody.listed(tx, NOW)
    assert [row.role for row in rows] == list(ROLES)
    assert {(row.state, row.place, row.alarm) for row in rows} == {(KeyState.CURRENT, "here", "")}
    assert [row.role for row in rows if row.expires_at is None] == ["lookup", "sealing"]


def test_a_key_that_leaves_is_shown_as_elsewhere_and_is_back_when_it_is_restored(tx: Connection, keyring: Keyring) -> None:
    custody.remove(tx, keyring, "packages", current(tx, "packages"), **BY)
    assert {row.role: row.place for row in custody.listed(tx, NOW)}["packages"] == "not here"
    with pytest.raises(RefusedError, match="is not here"):
        custody.remove(tx, keyring, "packages", current(tx, "packages"), **BY)
    with pytest.raises(RefusedError, match="does not lie in"):
        custody.restored(tx, keyring, "packages", current(tx, "packages"), **BY)
    with pytest.raises(RefusedError, match="has to stay here"):
        custody.remove(tx, keyring, "timestamp", current(tx, "timestamp"), **BY)
    with pytest.raises(RefusedError, match="has no key"):
        custody.remove(tx, keyring, "packages", "0" * 16, **BY)
    assert [row.action for row in audit.listed(tx, about="packages")] == ["keys.remove"]


def test_a_new_key_replaces_one_that_still_waits(tx: Connection, keyring: Keyring) -> None:
    first = custody.rotate(tx, keyring, ["offers"], **BY).keys[0].id
    second = custody.rotate(tx, keyring, ["offers"], **BY).keys[0].id
    states = {row.id: row.state for row in site_keys.all_keys(tx) if row.role == "offers"}
    assert (states[first], states[second]) == (KeyState.RETIRED, KeyState.NEXT)


def test_what_cannot_be_rotated_so_is_refused(tx: Connection, keyring: Keyring) -> None:
    for role in OFFLINE:
        custody.remove(tx, keyring, role, current(tx, role), **BY)
    known = site_keys.keys_in(tx, KeyState.CURRENT)["root"].public
    for roles, public, why in (
        (["nobody"], "", "there is no role"),
        (["packages"], "", "lives elsewhere"),
        (["root", "targets"], "ab" * 32, "for one role"),
        (["timestamp"], "ab" * 32, "for one role"),
        (["root"], known, "already"),
    ):
        with pytest.raises(RefusedError, match=why):
            custody.rotate(tx, keyring, roles, public=public, **BY)
    assert custody.rotate(tx, keyring, ["timestamp"], **BY).waits_for == ("root",)
    assert custody.rotate(tx, keyring, ["packages"], is_made_here=True, **BY).waits_for == ("targets",)


def test_one_request_is_open_at_a_time_and_can_be_given_up(tx: Connection, keyring: Keyring) -> None:
    with pytest.raises(RefusedError, match="nothing waits"):
        requests.export(tx, keyring, **BY)
    custody.remove(tx, keyring, "packages", current(tx, "packages"), **BY)
    package = packages.add(tx, name="Editor", version="4.2", **BY)
    first = requests.export(tx, keyring, **BY)
    assert first.summary[0] == f"adds {package} Editor 4.2 (source version 1)"
    with pytest.raises(RefusedError, match=f"request {first.number} is open"):
        requests.export(tx, keyring, **BY)
    second = requests.export(tx, keyring, is_anew=True, **BY)
    shown = requests.shown(tx, keyring)
    assert shown is not None and shown.number == second.number > first.number
    assert packages.shown(tx, package).waits_for.startswith(f"a signature of packages, request {second.number} exported at")
    requests.drop(tx, **BY)
    stored = site_keys.request_numbered(tx, second.number)
    assert stored is not None and stored.state is RequestState.DROPPED
    assert "nobody has asked" in packages.shown(tx, package).waits_for
    with pytest.raises(RefusedError, match="no signing request is open"):
        requests.drop(tx, **BY)


def test_a_deletion_says_beforehand_that_it_will_wait(tx: Connection, keyring: Keyring) -> None:
    package = packages.add(tx, name="Editor", **BY)
    assert packages.preview_deletion(tx, package).waits_for == ""
    custody.remove(tx, keyring, "packages", current(tx, "packages"), **BY)
    assert "a signature of packages" in packages.preview_deletion(tx, package).waits_for


@pytest.mark.parametrize(("days_left", "within"), [(61, ()), (59, (60,)), (29, (30,)), (6, (7,)), (-1, (0,))])
def test_what_nobody_here_can_renew_is_told_60_30_and_7_days_before(
    tx: Connection, keyring: Keyring, days_left: int, within: tuple[int, ...]
) -> None:
    at = site_keys.expiries(tx)["packages"] - timedelta(days=days_left)
    assert custody.alarms_of(tx, at) == ()
    custody.remove(tx, keyring, "packages", current(tx, "packages"), **BY)
    alarms = custody.alarms_of(tx, at)
    assert tuple(alarm.within_days for alarm in alarms) == within
    assert [row.role for row in custody.listed(tx, at) if row.alarm] == ["packages"] * len(within)
