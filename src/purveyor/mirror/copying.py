"""One pass of a mirror: from what its source shows now to a target that serves all of it, or goes on serving what it had.

    walk the metadata → shards of a generation that is new → files that roles list → content, or word that it is yet to come
    → roles → roots → timestamp → shards, a slice at a time → what nothing names any more leaves → items of clients go up

Everything before the timestamp has a name that nothing leads to yet, so a pass may stop anywhere. A shard is written only when
the snapshot that it was compiled against is served: where the source published meanwhile, the new publication comes first.
Source: the protocol, section 3.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from purveyor.content.verify import digest_of, verified
from purveyor.mirror import content, leaving, lookup, naming
from purveyor.mirror.bringing import Bringing
from purveyor.mirror.content import Store
from purveyor.mirror.intake import Intake
from purveyor.mirror.leaving import Clocks, Left
from purveyor.mirror.memory import TIMESTAMP, Memory, Pin, keep, pinned, recalled
from purveyor.mirror.metadata import ROOT, Metadata, Target
from purveyor.mirror.naming import Named
from purveyor.transport.interface import Point, Shelf
from purveyor.transport.pace import Pace
from purveyor.wire import settings as settings_file
from purveyor.wire.errors import RejectedError, UnavailableError
from purveyor.wire.settings import AgentSettings

GENERATIONS_A_PASS = 3
_WHOLE_BYTES = 4 * 2**20
"""Files up to so many bytes are read at once; larger ones go through in pieces."""


def nothing_elsewhere(path: str) -> bool:
    """Whoever gets the copy has nothing yet."""
    del path
    return False


def nothing_to_learn(settings: AgentSettings, source_url: str) -> None:
    """Nobody wants to know what settings say."""
    del settings, source_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What is mirrored into what; `pin` begins a new mirror.

    `elsewhere` tells of what need not be copied, `chosen` which content is; `is_carrying` sends items of clients up. `learn` is
    told the settings that are served, before anything is asked of the source and whenever there are others. A copy that
    `is_standing` is asked by clients: it may serve before all of its content has come, and what nothing names leaves it.
    """

    source: Point
    target: Shelf
    store: Store | None = None
    pin: Pin | None = None
    pace: Pace = field(default_factory=Pace)
    elsewhere: content.Elsewhere = nothing_elsewhere
    is_carrying: bool = False
    is_standing: bool = True
    chosen: Callable[[Named], frozenset[str]] = lambda named: named.offered
    learn: Callable[[AgentSettings, str], None] = nothing_to_learn


class Copying:
    """One pass under way."""

    def __init__(self, ends: Ends, now: datetime) -> None:
        self._ends = ends
        self._now = now
        self._target = ends.target
        self._source = Intake(ends.source, ends.pace)
        self._pin = pinned(ends.target, ends.pin)
        self._memory: Memory = recalled(ends.target)
        self.metadata = Metadata(ends.target, self._source, self._pin)
        self._learn_held()
        self.files = self.shards = self.served_snapshot = 0
        self.left = Left()
        self.problems: list[str] = []
        self.named = Named(frozenset(), {})
        self._sound: set[str] = set()
        self.bringing = self._bringing_to(ends.store) if ends.store else None

    def run(self) -> None:
        """The whole pass. Errors: UnavailableError, RejectedError."""
        settings = self._bring_up()
        settings = self._renew_shards(settings)
        keep(self._target, self._memory)
        if self._ends.is_standing and not self.problems:
            self._let_leave(settings)
        if self.bringing is not None:
            self.problems += self.bringing.problems()
        keep(self._target, self._memory)
        self._target.sync()

    def _bring_up(self) -> AgentSettings:
        """Serves what the source's metadata says now. Shape: the settings that are served."""
        self.metadata.update(self._memory.tags)
        settings = self._settings()
        for _ in range(GENERATIONS_A_PASS):
            where = settings.shards
            if len(lookup.lying(self._target, where.generation)) >= 1 << where.bits:
                break
            self._fill_generation(settings)
            self.metadata.update(self._memory.tags)  # at least as new as every shard that was just read
            settings = self._settings()
        targets = list(self.metadata.targets())
        for target in targets:
            self._bring_target(target)
        self.named = self._names(settings, targets)
        self._bring_content()
        self._publish()
        return settings

    def _learn_held(self) -> None:
        """What the settings say that were served before this pass, where they are sound."""
        target = self.metadata.held_target("settings", settings_file.PATH)
        if target is not None and self._is_sound(target):
            content_ = self._target.read(target.path)
            with suppress(RejectedError):
                self._ends.learn(settings_file.decode(content_ or b""), self._source.url)

    def _settings(self) -> AgentSettings:
        target = self.metadata.target_in("settings", settings_file.PATH)
        if target is None:
            raise RejectedError(f"{self._source.url} has no settings for clients")
        settings = settings_file.decode(self._content_of(target))
        if self._pin.site and settings.site != self._pin.site:
            raise RejectedError(f"{self._source.url} belongs to site {settings.site}, not to {self._pin.site}")
        self._ends.learn(settings, self._source.url)
        return settings

    def _content_of(self, target: Target) -> bytes:
        """A listed file's bytes, which lie on the target from now on unless they lie elsewhere."""
        if self._ends.elsewhere(target.path):
            listed = self._source.read(target.path, target.size_bytes)
            return b"".join(verified([listed], sha256=target.sha256, limit_bytes=target.size_bytes))
        self._bring_target(target)
        content_ = self._target.read(target.path)
        if content_ is None:
            raise UnavailableError(f"{target.path} is gone from the mirror while it works")
        return content_

    def _fill_generation(self, settings: AgentSettings) -> None:
        """All shards of a generation that does not lie here whole: nobody looks for them before the settings name it."""
        where = settings.shards
        for numbers in lookup.slices_of(where):
            ready = lookup.changed(self._source, self._target, where, numbers, self._memory.tags, self.problems)
            lookup.write(self._target, ready, self._memory.tags)
            self.shards += len(ready)
        self._memory.generations = tuple({*self._memory.generations, where.generation})
        if len(lookup.lying(self._target, where.generation)) < 1 << where.bits:
            raise UnavailableError(f"{self._source.url} does not have all shards of generation {where.generation}")

    def _renew_shards(self, settings: AgentSettings) -> AgentSettings:
        """Brings the shards that changed. Shape: the settings that are served in the end."""
        for numbers in lookup.slices_of(settings.shards):
            found = lookup.changed(self._source, self._target, settings.shards, numbers, self._memory.tags, self.problems)
            ready = [one for one in found if one.shard.snapshot <= self.served_snapshot]
            lookup.write(self._target, ready, self._memory.tags)
            self.shards += len(ready)
            if len(ready) < len(found):
                newer = self._bring_up()
                if newer.shards.generation != settings.shards.generation:
                    return newer  # all its shards were brought with it
                later = [one for one in found if self.served_snapshot >= one.shard.snapshot and one not in ready]
                lookup.write(self._target, later, self._memory.tags)
                self.shards += len(later)
                settings = newer
        return settings

    def _names(self, settings: AgentSettings, targets: list[Target]) -> Named:
        points: frozenset[str] = frozenset()
        if self._ends.store is not None:
            points = naming.points_at(settings, self._ends.source.url, self._ends.store.source.url)
        return naming.content_named(targets, self._content_of, points)

    def _bringing_to(self, store: Store) -> Bringing:
        return Bringing(
            store,
            Intake(store.source, self._ends.pace),
            memory=self._memory,
            elsewhere=self._ends.elsewhere,
            now=self._now,
            noted=lambda: keep(self._target, self._memory),
        )

    def _bring_content(self) -> None:
        """Brings content as far as it comes; nothing is published before it is said what is yet to come."""
        if self.bringing is None:
            return
        self._memory.packages.update(self.named.packages)
        self.bringing.bring(self._ends.chosen(self.named))
        if self._ends.is_standing:
            self.bringing.promise()
        elif self.bringing.lacking:
            raise next(iter(self.bringing.lacking.values()))

    def _bring_target(self, target: Target) -> None:
        """Makes sure that a listed file lies on the target as it is listed."""
        if target.path in self._sound or self._ends.elsewhere(target.path):
            return
        if not self._is_sound(target):
            if target.size_bytes <= _WHOLE_BYTES:
                content_ = self._source.read(target.path, target.size_bytes)
                sound = verified([content_], sha256=target.sha256, limit_bytes=target.size_bytes)
                self._target.write(target.path, b"".join(sound))
            else:
                pieces = self._source.pieces(target.path, size_bytes=target.size_bytes)
                sound = verified(pieces, sha256=target.sha256, limit_bytes=target.size_bytes)
                self._target.write_from(target.path, sound, limit_bytes=target.size_bytes)
            self.files += 1
        self._sound.add(target.path)

    def _is_sound(self, target: Target) -> bool:
        """Whether the target has this very file."""
        try:
            if self._target.size_of(target.path) != target.size_bytes:
                return False
            return digest_of(self._target.pieces(target.path)) == target.sha256
        except RejectedError:
            return False

    def _publish(self) -> None:
        """Writes the metadata that is lacking, the timestamp when all before it outlasts a power cut."""
        metadata = self.metadata
        for path in metadata.publication_order():
            if path == TIMESTAMP:
                self._target.sync()
            (self._target.replace if path in (ROOT, TIMESTAMP) else self._target.write)(path, metadata.lacking[path])
            self.files += 1
        if metadata.lacking:
            self._target.sync()
        metadata.lacking.clear()
        self._memory.tags.update(metadata.fresh_tags)
        metadata.fresh_tags.clear()
        assert metadata.trusted.timestamp is not None
        metadata.served_timestamp = metadata.trusted.timestamp.version
        self.served_snapshot = metadata.trusted.timestamp.snapshot_meta.version

    def _let_leave(self, settings: AgentSettings) -> None:
        clocks = Clocks(
            now=self._now,
            signed=self.metadata.signed_at(),
            grace_seconds=self.metadata.timestamp_seconds() + settings.poll_interval_seconds + leaving.MARGIN_SECONDS,
        )
        named = self.metadata.named() | {target.path for target in self.metadata.targets()}
        left = leaving.leave_boxes(self._target, self._memory, named, settings.shards, clocks)
        self.left = left
        if self._ends.store is not None and self.bringing is not None:
            self._let_content_leave(self._ends.store, self.bringing, clocks)

    def _let_content_leave(self, store: Store, bringing: Bringing, clocks: Clocks) -> None:
        """What nothing names leaves; what lacked room comes where that has made some."""
        needed = self.named.packages
        gone = leaving.leave_content(
            store, self._memory, needed, clocks, self.problems, is_short=bringing.is_short, is_coming=bringing.is_coming
        )
        self.left = Left(self.left.files + gone.files, gone.freed_bytes)
        if bringing.is_short and gone.files:
            self._bring_content()
        problem = content.check_oldest(self._memory, store, self._now)
        self.problems += [problem] if problem else []
