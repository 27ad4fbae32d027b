"""Hypothesis strategies for what crosses between machines: any value that an honest side could send."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from purveyor.wire import ids
from purveyor.wire.causes import Cause
from purveyor.wire.jobs import JobState
from purveyor.wire.manifest import File, Link, Manifest
from purveyor.wire.offers import (
    Advertisement,
    Assignment,
    AssignmentKind,
    CollectionOffers,
    ContentPlace,
    RetirementNote,
    RunningChoice,
)
from purveyor.wire.package_info import (
    NUMBER_LIMIT,
    Command,
    CommandRule,
    FileRule,
    IfInterrupted,
    OsPackageRule,
    PackageInfo,
    Program,
    ProgramKey,
    Uninstall,
)
from purveyor.wire.reports import (
    Discovery,
    Facts,
    Joining,
    Leaving,
    ProgramState,
    Returning,
    StatusMessage,
    StatusMessages,
    Summary,
)
from purveyor.wire.schedule import Zone
from purveyor.wire.settings import POLL_LIMIT_SECONDS, AgentSettings, Point, SealingKey, Shards
from purveyor.wire.shards import ClientState, Entry, Shard
from purveyor.wire.status_messages import StatusId

numbers = st.integers(1, ids.LAST_NUMBER)
counts = st.integers(0, 2**53)
sites = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=3, max_size=3).map(ids.SiteCode)
packages = st.builds(ids.package_id_of, sites, numbers)
collections = st.builds(ids.collection_id_of, sites, numbers)
advertisement_ids = st.builds(ids.advertisement_id_of, sites, numbers)
clients = st.binary(min_size=32, max_size=32).map(ids.client_id_of)
programs_numbers = st.integers(1, NUMBER_LIMIT).map(ids.ProgramNumber)
keys = st.builds(ProgramKey, packages, programs_numbers)
instants = st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st.datetimes wants naive limits
walls = st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1))  # noqa: DTZ001 - wall-clock times are naive
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
texts = st.text(max_size=40)

commands = st.builds(Command, argv=st.lists(texts, max_size=3).map(tuple)) | st.builds(Command, shell_line=texts)
rules = (
    st.builds(FileRule, path=texts, sha256=st.just("") | digests)
    | st.builds(CommandRule, command=commands, max_run_seconds=counts)
    | st.builds(OsPackageRule, name=texts, at_least=texts, root=texts)
)
programs = st.builds(
    Program,
    number=programs_numbers,
    name=texts,
    command=commands,
    working_directory=texts,
    max_run_seconds=counts,
    success_codes=st.lists(st.integers(-(2**31), 2**32), max_size=3).map(tuple),
    platforms=st.lists(texts, max_size=3).map(tuple),
    depends_on=st.none() | keys,
    uninstall=st.none() | st.builds(Uninstall, command=commands, files=st.lists(texts, max_size=2).map(tuple)),
    detection=st.none() | rules,
    if_interrupted=st.sampled_from(IfInterrupted),
)
package_infos = st.builds(
    PackageInfo,
    id=packages,
    name=texts,
    source_version=counts,
    version=texts,
    publisher=texts,
    manifest=st.just("") | digests,
    size_bytes=counts,
    highest_program=programs_numbers,
    programs=st.lists(programs, max_size=3).map(tuple),
)

assignments = st.builds(
    Assignment, number=counts, kind=st.sampled_from(AssignmentKind), at=st.none() | walls, zone=st.sampled_from(Zone)
)
advertisements = st.builds(
    Advertisement,
    id=advertisement_ids,
    package=packages,
    program=programs_numbers,
    available_from=instants,
    expires_at=st.none() | instants,
    is_paused=st.booleans(),
    each_version=st.booleans(),
    assignments=st.lists(assignments, max_size=2).map(tuple),
)
collection_offers = st.builds(
    CollectionOffers,
    collection=collections,
    advertisements=st.lists(advertisements, max_size=3).map(tuple),
    disabled=st.lists(keys, max_size=3).map(tuple),
    removals=st.lists(packages, max_size=2).map(tuple),
    retirements=st.lists(st.builds(RetirementNote, package=packages, running=st.sampled_from(RunningChoice)), max_size=2).map(
        tuple
    ),
    places=st.lists(st.builds(ContentPlace, manifest=digests, points=st.lists(texts, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
)

points = st.builds(
    Point,
    id=texts,
    url=texts,
    networks=st.lists(st.sampled_from(("10.1.0.0/16", "fd00:1::/48", "elsewhere")), max_size=2).map(tuple),
    weight=st.integers(0, 1000),
    is_draining=st.booleans(),
    takes_items=st.booleans(),
)
agent_settings = st.builds(
    AgentSettings,
    site=sites,
    incarnation=counts,
    shards=st.builds(Shards, generation=counts, bits=st.integers(0, 24), keys=st.lists(digests, max_size=2).map(tuple)),
    sealing_keys=st.lists(st.builds(SealingKey, id=texts, public=digests), min_size=1, max_size=2).map(tuple),
    access_points=st.lists(points, max_size=2).map(tuple),
    distribution_points=st.lists(points, max_size=2).map(tuple),
    poll_interval_seconds=st.integers(0, POLL_LIMIT_SECONDS),
)

entries = st.builds(
    Entry,
    state=st.sampled_from(ClientState),
    reason=texts,
    received=counts,
    collections=st.lists(collections, max_size=3).map(tuple),
)
shards = st.builds(
    Shard,
    generation=counts,
    number=counts,
    publication=counts,
    snapshot=counts,
    issued_at=instants,
    expires_at=instants,
    entries=st.dictionaries(clients, entries, max_size=3),
)

facts = st.builds(Facts, name=texts, platform=texts, addresses=st.lists(texts, max_size=3).map(tuple), zone=texts)
status_messages = st.builds(
    StatusMessage,
    id=st.sampled_from(StatusId),
    at=instants,
    package=st.none() | packages,
    program=st.none() | programs_numbers,
    advertisement=st.none() | advertisement_ids,
    occurrence=texts,
    source_version=counts,
    state=st.none() | st.sampled_from(JobState),
    exit_code=st.none() | st.integers(-(2**31), 2**32),
    text=texts,
    cause=st.none() | st.sampled_from(Cause),
)
program_states = st.builds(
    ProgramState,
    package=packages,
    program=programs_numbers,
    state=st.sampled_from(JobState),
    at=instants,
    occurrence=texts,
    exit_code=st.none() | st.integers(-(2**31), 2**32),
    succeeded_version=counts,
    cause=st.none() | st.sampled_from(Cause),
)
bodies = (
    st.builds(Returning, receipt=st.binary(max_size=100), facts=facts)
    | st.builds(Summary, programs=st.lists(program_states, max_size=3).map(tuple))
    | st.builds(Joining, secret=texts, facts=facts)
    | st.builds(
        Discovery,
        facts=facts,
        packages=st.lists(packages, max_size=3).map(tuple),
        absent_requests=counts,
        absent_by_point=st.dictionaries(texts, counts, max_size=3),
    )
    | st.builds(StatusMessages, messages=st.lists(status_messages, max_size=3).map(tuple))
    | st.just(Leaving())
)

names = st.text("abcXYZ01 ._-äß%'\"\n", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def manifest_of(paths_given: list[str], sizes: list[int]) -> Manifest:
    """A manifest of files with these paths, as far as they can stand side by side."""
    chosen: dict[str, str] = {}
    for path in paths_given:
        parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)]
        is_parent = any(other.startswith(path.casefold() + "/") for other in chosen)
        if path.casefold() not in chosen and not is_parent and not any(parent.casefold() in chosen for parent in parents):
            chosen[path.casefold()] = path
    files = [File(path=path, sha256=f"{size:064x}", size_bytes=size) for path, size in zip(chosen.values(), sizes, strict=False)]
    return Manifest(files=tuple(files), links=(Link(path="a link", target="nowhere"),) if "a link" not in chosen else ())


manifests = st.builds(manifest_of, st.lists(paths, max_size=5), st.lists(st.integers(0, 2**40), min_size=5, max_size=5))
