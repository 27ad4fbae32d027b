"""A site again from a backup: its rows, and then what makes them safe to go on from.

    rows → what was published since → versions and numbers above all that ever were → a new incarnation → shards → (the site runs)

Every step may be stopped and begun again from the backup. Nothing of it reaches a client before it is whole: the timestamp, which
leads to all else, is written by the first turn of the site.
Source: the protocol, section 11.
"""

import shlex
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from purveyor.content.store import ContentStore
from purveyor.recovery import adopting, differing, form, keys
from purveyor.recovery.backup import by_quarters, manifest_of, problems_of
from purveyor.recovery.decisions import ALWAYS, OLDER_CAP, WITHOUT_CAP, WITHOUT_HTTPS, Decision, Kind
from purveyor.recovery.published import Published, Reading, read_published
from purveyor.site_server import certificates
from purveyor.site_server.admin import https_pins
from purveyor.site_server.database import audit, content_copies, counters, points, publication, restoring, row_files, settings
from purveyor.site_server.database.engine import Database
from purveyor.site_server.model.points import PointKind, place_of
from purveyor.site_server.publish import audit as boxes
from purveyor.site_server.publish import key_change, lookup
from purveyor.site_server.publish import turn as publish
from purveyor.site_server.site import Site
from purveyor.transport.interface import Point
from purveyor.transport.smb.address import is_share
from purveyor.wire.errors import AbsentError, RefusedError, RejectedError, UnavailableError
from purveyor.wire.ids import CollectionId
from purveyor.wire.manifest import distinct_files
from purveyor.wire.settings import AgentSettings

VERSIONS_LEFT_OUT = 1_000_000
"""Versions and publications between the highest that is known and the first after a restore."""
IDS_LEFT_OUT = 10_000
"""Ids of each kind that are left out where nobody can tell which were given after the backup."""
UNSEEN_LEFT_OUT = 1000
"""Numbers of a kind of which the newest need not be published any more."""
WITHIN_LEFT_OUT = 100
"""Numbers of programs, assignments and source versions within one package or advertisement."""
MINUTES_LEFT_OUT = 180 * 24 * 60
"""Numbers, at most, that are left out besides: one for each minute since the backup, so two restores from it begin apart."""
MINUTES_WITHIN = 15
"""Minutes for each number that is left out so within one package or advertisement, where 100,000 are all that there are."""

Note = Callable[[str], None]


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The highest numbers with which a site that was restored from here began: another restore begins above them."""

    incarnation: int = 0
    version: int = 0
    highest: dict[str, int] = {}


class Restored(NamedTuple):
    """What a restore came to. `read` is the access point that was believed; empty: none could be."""

    incarnation: int
    read: str
    decisions: tuple[Decision, ...]
    clients: int


def refuse_damaged(backup: Path) -> None:
    """Reads the rows and keys of a backup against their digests. Errors: RefusedError when one is missing or damaged."""
    damaged = list(problems_of(backup, with_content=False))
    if damaged:
        more = f", and {len(damaged) - 1} more" if damaged[1:] else ""
        raise RefusedError(f"{backup} is damaged: {damaged[0]}{more}")


def load_rows(backup: Path, database: Database, note: Note) -> None:
    """Puts the rows of a backup into a database, in the place of all that is there, in one transaction.

    Errors: RefusedError: the backup is damaged, or of a newer release; UnavailableError.
    """
    refuse_damaged(backup)
    manifest = manifest_of(backup)
    database.migrate()
    try:
        with database.write() as tx:
            row_files.clear(tx)
            counts = row_files.load(tx, backup, lambda table, count: note(f"{table}: {count} rows"))
            if counts != manifest.rows:
                raise RejectedError("it has other rows than its manifest says")
    except RejectedError as error:
        raise RefusedError(f"{backup} cannot be restored: {error}") from error


def bring_content(backup: Path, store: ContentStore, places: Iterable[ContentStore], note: Note) -> int:
    """Gives the site's store the content of a backup, or of the `places` that outlived it. Shape: how many trees it has now.

    What the backup should have and cannot give is said, and so is what is in none of the places that were asked.
    """
    shared = ContentStore(backup.parent / form.CONTENT)
    asked = (store, shared, *places)
    count = 0
    for sha256 in by_quarters(manifest_of(backup).contents, note):
        for source in asked:
            try:
                source.copy_to(store, source.read_manifest(sha256))
                count += 1
                break
            except (UnavailableError, RejectedError) as error:
                if source is shared:
                    what = "is damaged" if isinstance(error, RejectedError) else "could not be taken"
                    note(f"content {sha256[:12]} {what} in the backup: {error}")
        else:
            names = ", ".join(str(place.folder) for place in asked)
            note(f"content {sha256[:12]} could be had from none of {names}; other points are not asked")
    return count


def renew(site: Site, backup: Path, *, own: Point | None, others: Sequence[Point], by: str, note: Note) -> Restored:
    """Makes a site of the rows of a backup that goes on where the lost one ended. `own` is the CAP of the site's own folder.

    Errors: UnavailableError: a box cannot be written, the database cannot be used; begin again then.
    """
    now, manifest = site.clock(), manifest_of(backup)
    with site.database.read() as tx:
        root = publication.read_role(tx, "root")
        held = publication.role_version(tx, "timestamp")
    shown = _published_at(site, root, own, others, note)
    witness = _witness(shown, held, note)
    is_certain = witness is not None and own is not None and witness.url == own.url
    earlier = _read_numbers(backup, note)
    point = next((one for one in (*([own] if own else []), *others) if witness and one.url == witness.url), None)
    with site.database.write() as tx:
        incarnation = _incarnation(tx, witness, earlier, now)
        detail = {"backup": backup.name, "incarnation": incarnation, "access_point": witness.url if witness else ""}
        audit.record(tx, by=by, now=now, action="site.restore", about=site.code, detail=detail)
        found, highest = _adopt(tx, site, witness, point, now)
        if not is_certain:
            found += _pause_all(tx) + _caps_to_try(tx, shown)
        elif witness is not None and witness.version < earlier.version:
            found.append(OLDER_CAP)
        minutes = min(max(0, int((now - manifest.made_at).total_seconds()) // 60), MINUTES_LEFT_OUT)
        _leave_numbers_out(tx, earlier, minutes=minutes, is_certain=is_certain, has_witness=witness is not None)
        found += _missing_content(tx, site, held=manifest.contents)
        has_certificate = site.folder is None or (site.folder / certificates.FOLDER / certificates.STATE).exists()
        if not has_certificate and https_pins.looked_for(tx):
            found.append(WITHOUT_HTTPS)
        found += keys.replace_lost(tx, site.keys, now)
        restoring.close_signing_requests(tx, now)
        restoring.distrust_copies(tx, now)
        floor = _floor(tx, witness, earlier, now)
        restoring.begin_anew(tx, incarnation=incarnation, publication=max(highest + VERSIONS_LEFT_OUT, floor))
        if publish.sign_above(tx, keys=site.keys, floor=floor, now=now) == 0:
            found.append(Decision(Kind.KEY, "publication", "nothing can be published before the keys below count again"))
        for decision in found:
            action, said = f"restore.{decision.kind}", {"text": decision.text, "address": decision.address or None}
            audit.record(tx, by=by, now=now, action=action, about=decision.about, detail=said)
        client_count = restoring.count_clients(tx)
        _write_numbers(tx, backup, incarnation, floor, note)
    _fill_boxes(site, now, note)
    return Restored(incarnation, witness.url if witness else "", tuple(found), client_count)


# --- what was published -----------------------------------------------------------------------------------------------


def _published_at(site: Site, root: bytes, own: Point | None, others: Sequence[Point], note: Note) -> list[Published]:
    """What each point shows that can be read and believed."""
    shown = []
    for point in (*([own] if own is not None else []), *others):
        try:
            shown.append(read_published(point, root=root, site=site.code))
        except (AbsentError, RejectedError, UnavailableError) as error:
            note(f"{point.url} is no witness of what was published: {error}")
    return shown


def _witness(shown: Sequence[Published], held: int, note: Note) -> Published | None:
    """The newest of what is shown; None where all is older than the backup."""
    for one in shown:
        for problem in one.problems:
            note(problem)
        if one.version < held:
            note(f"{one.url} is older than the backup: it says nothing of what was published since")
    return max((one for one in shown if one.version >= held), key=lambda one: one.version, default=None)


def _adopt(
    tx: Connection, site: Site, witness: Published | None, point: Point | None, now: datetime
) -> tuple[list[Decision], int]:
    """Brings the rows to what was published since. Shape: what people are to look at; the highest publication that is known."""
    highest = publication.publication_of(tx)
    found = list(ALWAYS)
    if witness is None or point is None:
        return found + list(WITHOUT_CAP), highest
    found += adopting.adopt(tx, witness, now)
    found += keys.adopt_keys(tx, witness, now)
    made = [CollectionId(one.about) for one in found if one.kind is Kind.COLLECTION]
    reading = Reading(point, witness.settings, restoring.shard_publications(tx, witness.settings.shards.generation))
    found += adopting.adopt_clients(tx, reading, made, now)
    points.set_filled(tx, [one.id for one in witness.settings.access_points], now)
    found += _differences(tx, witness.settings)
    _take_generation(tx, site, witness, now)
    return found, max(highest, reading.highest)


def _differences(tx: Connection, said: AgentSettings) -> list[Decision]:
    """Settings and points of which clients were told otherwise."""
    found = list(differing.settings_that_differ(settings.read_settings(tx), said))
    for kind, told in ((PointKind.CAP, said.access_points), (PointKind.DP, said.distribution_points)):
        found += differing.points_that_differ(kind, points.told(tx, kind), told, home=(points.HOME_CAP, points.HOME_DP))
    return found


def _pause_all(tx: Connection) -> list[Decision]:
    """Without the site's own CAP nobody can tell what was published until the end: a mirror may lag, or show old files."""
    text = "whether it was still published is not known; it is paused"
    return [Decision(Kind.ADVERTISEMENT, one, f"{name}: {text}") for one, name in restoring.pause_all(tx)]


def _caps_to_try(tx: Connection, shown: Sequence[Published]) -> list[Decision]:
    """The access points that the backup names elsewhere and that this restore has not read."""
    read = {place_of(one.url) for one in shown}
    found: list[Decision] = []
    for one in points.standing(tx, PointKind.CAP):
        addresses = [address for address in (one.said.target, one.said.url) if address and not address.startswith("s3://")]
        if one.is_home or read & {place_of(address) for address in addresses}:
            continue
        credentials = ["--credentials", one.said.credentials] if is_share(addresses[0]) and one.said.credentials else []
        option = shlex.join(["--cap", addresses[0], *credentials])
        text = f"it may show newer publications, and was not read: before the site runs, restore again with `--replace {option}`"
        found.append(Decision(Kind.NUMBERS, one.id, text))
    return found


def _take_generation(tx: Connection, site: Site, witness: Published, now: datetime) -> None:
    """Goes on with the generation of shards that clients read, or, where its key is lost, with a later number than its own."""
    said = witness.settings.shards
    standing = publication.generations(tx)
    if said.generation <= standing[-1].generation:
        return
    stand = key_change.standing(tx, site.keys)
    is_signed_here = "lookup" in stand.keys.signing
    number = said.generation if is_signed_here else said.generation + 1
    publication.insert_generation(tx, generation=number, bits=said.bits, announced_at=None)
    if is_signed_here:
        publication.announce_generation(tx, number, now)


# --- numbers ----------------------------------------------------------------------------------------------------------


def _incarnation(tx: Connection, witness: Published | None, earlier: Numbers, now: datetime) -> int:
    """Above all that are known, and one that no earlier restore can have had, of which nothing here may know."""
    known = max(publication.incarnation_of(tx), earlier.incarnation, witness.settings.incarnation if witness else 0)
    return max(known + 1, int(now.timestamp()) // 60)


def _floor(tx: Connection, witness: Published | None, earlier: Numbers, now: datetime) -> int:
    """The lowest version of any role from now on: above what is known, and above what a site can have signed until today.

    The seconds of the clock rise faster than versions do, so a second restore is above the first, which nobody may know of.
    """
    known = [publication.role_version(tx, name) for name in ("timestamp", "snapshot")]
    if witness is not None:
        known += [version for name, version in witness.roles().items() if name != "root"]
    return max(max(known) + VERSIONS_LEFT_OUT, earlier.version + VERSIONS_LEFT_OUT, int(now.timestamp()))


def _leave_numbers_out(tx: Connection, earlier: Numbers, *, minutes: int, is_certain: bool, has_witness: bool) -> None:
    """Raises every number above all that can have been given after the backup, by the lost site or by an earlier restore.

    A restore that nothing here knows of began from the same backup fewer `minutes` after it, and gave fewer than one a minute.
    """
    stated = (counters.PACKAGE, counters.COLLECTION)
    given = restoring.highest_numbers(tx)
    for kind in counters.KINDS:
        left_out = 0 if is_certain and kind in stated else UNSEEN_LEFT_OUT if is_certain else IDS_LEFT_OUT
        counters.raise_to(tx, kind, max(given.get(kind, 0), earlier.highest.get(kind, 0)) + left_out + minutes)
    passed = minutes // MINUTES_WITHIN + 1
    within = WITHIN_LEFT_OUT + passed
    programs = passed if has_witness else within
    restoring.raise_numbers_within(tx, programs=programs, assignments=within, versions=within)


def _read_numbers(backup: Path, note: Note) -> Numbers:
    path = backup.parent / form.NUMBERS
    try:
        return msgspec.json.decode(path.read_bytes(), type=Numbers)
    except FileNotFoundError:
        return Numbers()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        note(f"{path} says nothing of earlier restores: {error}")
        return Numbers()


def _write_numbers(tx: Connection, backup: Path, incarnation: int, floor: int, note: Note) -> None:
    """Leaves beside the backups what this site begins with."""
    numbers = Numbers(incarnation=incarnation, version=floor, highest=restoring.highest_numbers(tx))
    aside = backup.parent / f"{form.NUMBERS}.new"
    try:
        aside.write_bytes(msgspec.json.encode(numbers))
        aside.replace(backup.parent / form.NUMBERS)
    except OSError as error:
        note(f"{form.NUMBERS} cannot be left beside the backups ({error.strerror}): restore from them once only")


# --- content and boxes ------------------------------------------------------------------------------------------------


def _missing_content(tx: Connection, site: Site, *, held: Collection[str]) -> list[Decision]:
    """Takes in content that outlived the rows that named it; what was not found is for people to add again.

    `held`: what the backup says that it has.
    """
    found: list[Decision] = []
    for sha256, packages in sorted(restoring.manifests_needed(tx).items()):
        if _bring_one(tx, site, sha256):
            continue
        where = "damaged or missing in the backup, which should have it" if sha256 in held else "not in the backup"
        text = (
            f"its content is {where}, and neither in the site's own content nor in its own DP; other points were not asked: "
            "add it again (`purveyor package update`)"
        )
        found += [Decision(Kind.CONTENT, package, text) for package in packages]
    return found


def _bring_one(tx: Connection, site: Site, sha256: str) -> bool:
    for place in (site.store, *site.points.values()):
        with suppress(UnavailableError, RejectedError):
            manifest = place.read_manifest(sha256)
            if place.missing(manifest):
                continue
            if place is not site.store:
                place.copy_to(site.store, manifest)
            files = distinct_files(manifest)
            content_copies.record_manifest(tx, sha256, sum(file.size_bytes for file in files), files, site.clock())
            return True
    return False


def _fill_boxes(site: Site, now: datetime, note: Note) -> None:
    """Shards before all else: whoever follows the first timestamp of the new incarnation finds its own there."""
    settings = site.settings()
    try:
        while lookup.sign_shards(site.database, keys=site.keys, settings=settings, now=now):
            pass
    except RefusedError as error:
        note(str(error))
    lookup.write_shards(site.database, site.cap)
    strangers = boxes.strangers(site.database, site.cap)
    with site.database.write() as tx:
        for path in strangers:
            content = site.cap.read(path)
            if content is not None:
                publication.store_down_file(tx, path, content)
        publication.set_written(tx, strangers, now)
        publication.set_unnamed(tx, strangers, now)
