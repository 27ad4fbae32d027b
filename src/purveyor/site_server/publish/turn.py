"""The turn of publication: from what is wanted in the database to signed files in the down boxes.

    read what is wanted → compile and sign (one transaction) → write the files in order → note them as written
    → sign and write shards, a slice at a time → take away what nothing has named for long

Signed bytes are committed before the first byte reaches a box, so a version is signed once: whatever stops this turn, the next
one goes on with the same bytes. Nothing depends on being told: a turn finds `wanted ≠ published`.
Source: the protocol, section 3.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from purveyor.site_server.database import points, publication, requests, site_keys
from purveyor.site_server.database.engine import Database
from purveyor.site_server.database.publication import Generation, Span
from purveyor.site_server.database.settings import clock_doubt, read_settings
from purveyor.site_server.database.site_keys import RequestState
from purveyor.site_server.database.slices import slices
from purveyor.site_server.database.wanted import Kind, want_settings, want_shards_of_members
from purveyor.site_server.keys import OFFLINE, KeyName, Keys, KeySource
from purveyor.site_server.model.points import PointKind
from purveyor.site_server.model.retirement import unnamed_grace
from purveyor.site_server.model.settings import SiteSettings
from purveyor.site_server.model.site_clock import TOLERANCE, patient
from purveyor.site_server.publish import key_change, lookup, offsite, repository
from purveyor.site_server.publish.agent_settings import compile_settings
from purveyor.site_server.publish.offers import compile_offers
from purveyor.site_server.publish.older import TIMESTAMP, refuse_older_database
from purveyor.site_server.publish.packages import compile_package
from purveyor.transport.interface import Shelf
from purveyor.wire import offers, package_info, shards
from purveyor.wire import settings as settings_file
from purveyor.wire.errors import RejectedError
from purveyor.wire.ids import CollectionId, PackageId

WANTS_A_TURN = 5000
FILES_AT_ONCE = 500
"""Written, synced and recorded as written, before the next so many are."""
RENEWALS_A_TURN = 32
ROLES_AT_MOST = 100_000
REMOVALS_A_TURN = 500

_MUTABLE = (TIMESTAMP, "clidata.box/root.json")
_RANKS = {"targets": 3, "root": 3, "snapshot": 4}
_DIGEST_LENGTH = 64
_KEY_OF = {Kind.PACKAGE: "packages", Kind.OFFERS: "offers", Kind.SETTINGS: "settings"}


class Published(NamedTuple):
    """What a turn did: files and shards written, signatures made (roles and shards); whether shards are left for the next.

    `keys_missing`: roles whose key is not here although something waits for its signature; `keys_retired`: keys that are here
    although nothing needs them any more; `dropped`: why an answer to a signing request could not be published.
    """

    files: int
    shards: int
    signatures: int
    is_more: bool
    keys_missing: tuple[str, ...] = ()
    keys_retired: tuple[KeyName, ...] = ()
    dropped: str = ""


def turn(*, database: Database, cap: Shelf, keys: KeySource, now: datetime) -> Published:
    """Publishes all files that are wanted and one slice of the shards, so that a large membership never delays an advertisement.

    Errors: UnavailableError when the CAP's folder cannot be written; RefusedError when the database is an older copy.
    """
    with database.write() as tx:
        refuse_older_database(tx, cap)
        doubtful = clock_doubt(tx, now)
        settings = patient(read_settings(tx), doubtful)
        requests.close_expired(tx, now - doubtful)
        answered_count, dropped = _publish_answer(tx, keys, settings, now)
        stand = key_change.standing(tx, keys)
        changing = key_change.possible_here(stand, keys)
        key_change.bring_in(tx, stand, changing, now)
        unmet = publication.unmet(tx, WANTS_A_TURN)
        wants = [want for want in unmet if want.kind is not Kind.NAMING]
        here = key_change.keys_after(stand, keys, changing)
        waiting = {_KEY_OF[want.kind] for want in wants} | _named_elsewhere(stand, changing)
        keys_missing = tuple(sorted(waiting - here.signing.keys()))
        elsewhere = [want for want in wants if _KEY_OF[want.kind] not in here.signing]
        possible = [want for want in wants if _KEY_OF[want.kind] in here.signing] + offsite.unchanged(tx, elsewhere)
        role_count = answered_count + _sign_roles(tx, possible, _Signing(here, stand, changing), settings, now)
        rows = site_keys.all_keys(tx) if changing else stand.rows
        keys_retired = key_change.retire(tx, keys, rows, settings, now)
        generations = _grown_generations(tx)
        lookup.renew_shards(tx, settings=settings, now=now)
        files = publication.unwritten(tx)
        unnamed = publication.unnamed_before(tx, now - unnamed_grace(settings), REMOVALS_A_TURN)
        is_shard_left = bool(publication.unfinished_generations(tx))
    naming = [want for want in unmet if want.kind is Kind.NAMING]
    write_files(database, cap, files, now)
    _name_in_shards(database, naming)
    signed = shard_count = 0
    if naming or is_shard_left:
        signed = lookup.sign_shards(database, keys=keys, settings=settings, now=now)
        shard_count = lookup.write_shards(database, cap)
    is_announced = generations[-1].announced_at is None and _announce(database, generations[-1].generation, now)
    _remove_superseded(database, cap, generations, settings, now)
    _remove_unnamed(database, cap, unnamed)
    return Published(
        len(files),
        shard_count,
        role_count + signed,
        is_more=is_announced or signed >= lookup.SLICE,
        keys_missing=keys_missing,
        keys_retired=keys_retired,
        dropped=dropped,
    )


def create(tx: Connection, *, keys: Keys, bin_bits: int, now: datetime) -> None:
    """The first version of every role of a new site, stored to be written by its first turn."""
    for role in repository.first_roles(keys, bin_bits=bin_bits, lifetimes=lifetimes_of(read_settings(tx)), now=now):
        _store(tx, role, now)
    key_change.begin(tx, keys, now)
    want_settings(tx)


def sign_above(tx: Connection, *, keys: KeySource, floor: int, now: datetime) -> int:
    """Signs every role anew whose key is here, at a version of `floor` at least: after a restore. Shape: how many roles.

    Without the keys of snapshot and timestamp nothing can be published, and nothing is signed.
    """
    stand = key_change.standing(tx, keys)
    if not {"snapshot", "timestamp"} <= stand.keys.signing.keys():
        return 0
    always = Span(tuple(sorted(stand.keys.signing)), publication.FOREVER, publication.FOREVER)
    names = publication.roles_expiring(tx, [always], limit=ROLES_AT_MOST)
    changes = repository.Changes(renew=frozenset(names) - {"root"}, floor=floor)
    signed = repository.next_roles(
        lambda name: publication.read_role(tx, name),
        changes,
        keys=stand.keys,
        lifetimes=lifetimes_of(read_settings(tx)),
        now=now,
    )
    for role in signed:
        _store(tx, role, now)
    return len(signed)


def write_files(database: Database, cap: Shelf, files: Sequence[tuple[str, bytes]], now: datetime) -> None:
    """Writes what is signed but not yet in the box: targets first, the timestamp last. Shape: `files` by path.

    What was written is recorded as it goes: a slow link that breaks off is gone on with, not begun again (Q278856).
    """
    in_order = sorted(files, key=lambda file: (write_rank(file[0]), file[0]))
    for part in slices(in_order, FILES_AT_ONCE):
        for path, content in part:
            if path == TIMESTAMP:
                cap.sync()  # whatever the timestamp leads to outlasts a power cut before the timestamp does
            (cap.replace if path in _MUTABLE else cap.write)(path, content)
        cap.sync()
        with database.write() as tx:
            publication.set_written(tx, [path for path, _ in part], now)


def write_rank(path: str) -> int:
    """The place of a down file in the order of publication (protocol 3.1)."""
    if path in _MUTABLE:
        return 6 if path == TIMESTAMP else 5
    folder, _, name = path.rpartition("/")
    version, _, role = name.removesuffix(".json").partition(".")
    if folder != "clidata.box" or len(version) == _DIGEST_LENGTH:
        return 0
    return _RANKS.get(role, 1 if "-" in role else 2)


def lifetimes_of(settings: SiteSettings) -> repository.Lifetimes:
    """How long signatures hold, as the site is set."""
    return repository.Lifetimes(
        timestamp_seconds=settings.timestamp_lifetime_seconds,
        online_seconds=settings.online_lifetime_seconds,
        offline_seconds=settings.offline_lifetime_seconds,
        rhythm_seconds=settings.timestamp_rhythm_seconds,
    )


class _Signing(NamedTuple):
    """The keys that count from now on, how it was before, and the roles whose keys change."""

    keys: Keys
    before: key_change.Standing
    changing: frozenset[str]


def _sign_roles(
    tx: Connection, wants: Sequence[publication.Want], signing: _Signing, settings: SiteSettings, now: datetime
) -> int:
    """Compiles and signs what is wanted or would expire, and stores it. Shape: how many roles were signed.

    `wants` are those whose keys are here; what waits for a key that is elsewhere holds up nothing.
    """
    keys, stand = signing.keys, signing.before
    highest = publication.highest_numbers(tx) if wants else {}
    targets = _compiled(tx, wants, settings)
    lifetimes = lifetimes_of(settings)
    named = signing.changing & {*key_change.TOP, *key_change.DELEGATED}
    changes = repository.Changes(
        targets=targets,
        highest={role: number for role, number in highest.items() if role in keys.signing},
        renew=frozenset(_to_renew(tx, keys, lifetimes, now)),
        new_keys={role: stand.following[role].public for role in named},
    )
    if not wants and not changes.renew and not named:
        return 0
    signed = repository.next_roles(
        lambda name: publication.read_role(tx, name),
        changes,
        keys=keys,
        lifetimes=lifetimes,
        now=now,
        root_before=stand.keys.private("root") if "root" in named else None,
    )
    _store_publication(tx, signed, targets, wants, now)
    return len(signed)


def _publish_answer(tx: Connection, source: KeySource, settings: SiteSettings, now: datetime) -> tuple[int, str]:
    """Publishes what was signed elsewhere, with all that follows from it here. Shape: how many roles; why it was dropped."""
    try:
        answer = offsite.answered(tx, source)
    except RejectedError as error:
        stored = site_keys.request_in(tx, RequestState.SIGNED)
        assert stored is not None
        site_keys.close_request(tx, stored.number, RequestState.DROPPED, now)
        return 0, f"the answer to signing request {stored.number} was not published: {error}"
    if answer is None:
        return 0, ""
    stand = key_change.standing(tx, source)
    changing = frozenset(answer.new_keys)
    signed = repository.next_roles(
        lambda name: publication.read_role(tx, name),
        repository.Changes(new_keys=answer.new_keys),
        keys=key_change.keys_after(stand, source, changing),
        lifetimes=lifetimes_of(settings),
        now=now,
        given=answer.given,
    )
    key_change.bring_in(tx, stand, changing, now)
    _store_publication(tx, signed, answer.targets, answer.request.wants, now)
    site_keys.close_request(tx, answer.request.number, RequestState.PUBLISHED, now)
    return len(signed), ""


def _named_elsewhere(stand: key_change.Standing, changing: frozenset[str]) -> set[str]:
    """The roles whose signatures new keys wait for."""
    return {"root" if role in key_change.TOP else "targets" for role in stand.following.keys() - changing}


def _store_publication(
    tx: Connection,
    signed: Sequence[repository.SignedRole],
    targets: Mapping[str, bytes | None],
    wants: Sequence[publication.Want],
    now: datetime,
) -> None:
    """Stores what was signed, and records what it meets; a want that was raised since is met to its older revision only."""
    for path, content in targets.items():
        _store_target(tx, path, content, now)
    for role in signed:
        _store(tx, role, now)
    publication.set_met(tx, wants)
    newer = {(want.kind, want.key) for want in publication.unmet(tx, WANTS_A_TURN)}
    snapshot = publication.role_version(tx, "snapshot")
    for want in wants:
        if want.kind is Kind.PACKAGE and (want.kind, want.key) not in newer:
            publication.set_snapshot_of_leaving(tx, PackageId(want.key), snapshot)


def _name_in_shards(database: Database, wants: Sequence[publication.Want]) -> None:
    """Asks for the shards of all members of collections that speak for the first time."""
    for want in wants:
        with database.write() as tx:
            want_shards_of_members(tx, CollectionId(want.key))
            publication.set_met(tx, [want])


def _compiled(tx: Connection, wants: Sequence[publication.Want], settings: SiteSettings) -> Mapping[str, bytes | None]:
    """The target files that are wanted, as bytes; None for one that is to be no longer there."""
    targets: dict[str, bytes | None] = {}
    for want in wants:
        match want.kind:
            case Kind.PACKAGE:
                info = compile_package(tx, PackageId(want.key))
                targets[package_info.path_of(PackageId(want.key))] = None if info is None else package_info.encode(info)
            case Kind.OFFERS:
                compiled = compile_offers(tx, CollectionId(want.key))
                targets[offers.path_of(CollectionId(want.key))] = offers.encode(compiled)
            case Kind.SETTINGS:
                announced = [one for one in publication.generations(tx) if one.announced_at is not None][-1]
                compiled_settings = compile_settings(
                    code=publication.site_code_of(tx),
                    incarnation=publication.incarnation_of(tx),
                    settings=settings,
                    generation=announced,
                    lookup_key=key_change.lookup_public(tx, announced.lookup_key),
                    sealing_keys=key_change.sealing_public(tx),
                    access_points=points.told(tx, PointKind.CAP),
                    distribution_points=points.told(tx, PointKind.DP),
                )
                targets[settings_file.PATH] = settings_file.encode(compiled_settings)
    return targets


def _to_renew(tx: Connection, keys: Keys, lifetimes: repository.Lifetimes, now: datetime) -> list[str]:
    """Roles past the part of their life after which they are signed anew; those whose key is elsewhere are left to alarms.

    One that would live longer than it may was signed while the clock was ahead: it tells clients a time that has not come.
    """
    rhythm = timedelta(seconds=lifetimes.rhythm_seconds)
    latest = now + lifetimes.of("timestamp")
    spans = [Span(("timestamp",), latest - rhythm, latest + TOLERANCE)]
    for names, example in (
        (("snapshot", "offers", "settings"), "offers"),
        (OFFLINE, "packages"),
    ):
        latest = now + lifetimes.of(example)
        halfway = latest - lifetimes.of(example) / 2
        here = tuple(name for name in names if name in keys.signing)
        if here:
            spans.append(Span(here, halfway, latest + TOLERANCE))
    return publication.roles_expiring(tx, spans, limit=RENEWALS_A_TURN)


def _store_target(tx: Connection, path: str, content: bytes | None, now: datetime) -> None:
    """The target's new file; those that had its name before are no longer named."""
    folder, _, name = path.rpartition("/")
    new_path = repository.path_of_target(path, content) if content is not None else ""
    with_digest = len(folder) + 1 + _DIGEST_LENGTH + 1 + len(name)  # role metadata may end alike: `2.settings.json`
    alike = publication.down_paths_of(tx, f"{folder}/", f".{name}")
    publication.set_unnamed(tx, [old for old in alike if old != new_path and len(old) == with_digest], now)
    if content is not None and publication.down_file(tx, new_path) is None:
        publication.store_down_file(tx, new_path, content)
    elif content is not None:
        publication.name_again(tx, new_path)


def _store(tx: Connection, role: repository.SignedRole, now: datetime) -> None:
    """A role's new signed bytes, as the standing ones and as files; the version before is named no longer, roots for ever."""
    paths = repository.paths_of(role)
    if role.name not in ("root", "timestamp") and role.version > 1:
        publication.set_unnamed(tx, [f"clidata.box/{role.version - 1}.{role.name}.json"], now)
    publication.store_role(tx, name=role.name, version=role.version, content=role.content, expires_at=role.expires_at)
    for path in paths:
        publication.store_down_file(tx, path, role.content)


def _grown_generations(tx: Connection) -> list[Generation]:
    """The generations of shards; a larger one is begun where the newest has become too small."""
    standing = publication.generations(tx)
    grown = lookup.grow_generation(standing, publication.highest_client_number(tx))
    if grown is None:
        return standing
    publication.insert_generation(tx, generation=grown.generation, bits=grown.bits, announced_at=None)
    return [*standing, grown]


def _announce(database: Database, generation: int, now: datetime) -> bool:
    """Whether the settings are to name a generation: as soon as it is complete, since reports go on asking for single shards."""
    with database.write() as tx:
        if generation in publication.unfinished_generations(tx):
            return False
        publication.announce_generation(tx, generation, now)
        want_settings(tx)
        return True


def _remove_superseded(
    database: Database, cap: Shelf, standing: Sequence[Generation], settings: SiteSettings, now: datetime
) -> None:
    """Removes generations whose grace time is over."""
    over = now - unnamed_grace(settings)
    for one in standing:
        if one.superseded_at is not None and one.superseded_at < over:
            _remove_generation(database, cap, one.generation)


def _remove_generation(database: Database, cap: Shelf, generation: int) -> None:
    """Takes away a generation's shards: first from the box, then from the database, so that none is forgotten there."""
    with database.read() as tx:
        numbers = publication.shard_numbers(tx, generation)
    for number in numbers:
        cap.remove(shards.path_of(generation, number))
    cap.sync()
    with database.write() as tx:
        publication.delete_generation(tx, generation)


def _remove_unnamed(database: Database, cap: Shelf, paths: Sequence[str]) -> None:
    """Takes away files that nothing has named for longer than the grace: first from the box, then from the database."""
    if paths:
        for path in paths:
            cap.remove(path)
        cap.sync()
        with database.write() as tx:
            publication.delete_down_files(tx, paths)
