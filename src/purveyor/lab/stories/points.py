"""What happens between site and clients in a story: the access point, the distribution point, and the power of the site."""

from datetime import timedelta

from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.steps import kind
from purveyor.wire.ids import PackageId

MOMENTS = ("monday", "tuesday")
DAMAGED = (".pkg", ".ofr", ".lkp", ".packages-", "timestamp.json", "snapshot.json", "settings")


def _is_content(_: str) -> bool:
    return True


@kind("cut-off", "{0} reaches the access point no more", lambda d: (d.client(),))
def _cut_off(stage: Stage, name: str) -> None:
    stage.fleet.cap.cut(stage.client(name).name)


@kind("point-away", "nobody reaches the access point any more", lambda _: ())
def _point_away(stage: Stage) -> None:
    stage.fleet.cap.cut()


@kind("content-away", "nobody reaches the distribution point any more", lambda _: ())
def _content_away(stage: Stage) -> None:
    stage.fleet.dp.cut()


@kind("points-mended", "both points are whole and reached again", lambda _: (), weight=8)
def _mended(stage: Stage) -> None:
    stage.fleet.cap.mend()
    stage.fleet.dp.mend()


@kind("half-published", "the access point shows only the next {0} writes of the site", lambda d: (d.number(0, 12),), weight=3)
def _half_published(stage: Stage, writes: int) -> None:
    stage.fleet.cap.hold(writes)


@kind("moment-kept", "somebody keeps a copy of the access point, called {0}", lambda d: (d.pick(MOMENTS),), weight=3)
def _moment_kept(stage: Stage, name: str) -> None:
    stage.fleet.cap.keep_moment(name)
    stage.moments.add(name)


@kind("moment-served", "the access point serves the copy called {0}", lambda d: (d.pick(MOMENTS),), weight=3)
def _moment_served(stage: Stage, name: str) -> None:
    stage.fleet.cap.serve_moment(stage.moment(name))


@kind("shards-served", "the access point serves only the shards of the copy called {0}", lambda d: (d.pick(MOMENTS),))
def _shards_served(stage: Stage, name: str) -> None:
    stage.fleet.cap.serve_moment(stage.moment(name), only=_is_shard)


@kind("files-served", "the access point serves all but the shards of the copy called {0}", lambda d: (d.pick(MOMENTS),))
def _files_served(stage: Stage, name: str) -> None:
    stage.fleet.cap.serve_moment(stage.moment(name), only=_is_no_shard)


@kind("empty", "the access point is an empty folder", lambda _: ())
def _empty(stage: Stage) -> None:
    stage.fleet.cap.serve_nothing()


@kind("discarding", "the access point takes what clients put, and throws it away", lambda _: ())
def _discarding(stage: Stage) -> None:
    stage.fleet.cap.discard()
    stage.has_thrown_away = True


@kind("damaged", "every file with {0} in its name is damaged on the access point", lambda d: (d.pick(DAMAGED),))
def _damaged(stage: Stage, part: str) -> None:
    stage.fleet.cap.corrupt_all(lambda path: part in path)


@kind("content-damaged", "every file of the distribution point is damaged", lambda _: (), weight=1)
def _content_damaged(stage: Stage) -> None:
    stage.fleet.dp.corrupt_all(_is_content)


@kind("file-lost", "somebody deletes a file of {0} from the access point", lambda d: (d.package(),))
def _file_lost(stage: Stage, name: str) -> None:
    package: PackageId = stage.product(name).package
    for path in sorted(path for path in stage.fleet.cap.files if package in path)[:1]:
        stage.fleet.cap.lose(path)


@kind(
    "requests-lost", "{0} of 10 requests to both points are lost, or their answers", lambda d: (d.number(1, 6), d.number(0, 99))
)
def _requests_lost(stage: Stage, tenths: int, seed: int) -> None:
    for point in (stage.fleet.cap, stage.fleet.dp):
        point.lose_requests(tenths / 10, seed=seed)


@kind(
    "lagging",
    "the access point shows what the site writes {0} minutes late, in any order",
    lambda d: (d.number(1, 200), d.number(0, 99)),
)
def _lagging(stage: Stage, minutes: int, seed: int) -> None:
    stage.fleet.cap.lag(timedelta(minutes=minutes), spread=timedelta(minutes=minutes), seed=seed)


@kind(
    "items-delayed",
    "what clients put arrives up to {0} minutes late, in any order",
    lambda d: (d.number(1, 200), d.number(0, 99)),
)
def _items_delayed(stage: Stage, minutes: int, seed: int) -> None:
    stage.fleet.cap.delay_items(timedelta(minutes=1), spread=timedelta(minutes=minutes), seed=seed)


@kind("items-doubled", "what clients put comes once more, {0} minutes later", lambda d: (d.number(0, 200),))
def _items_doubled(stage: Stage, minutes: int) -> None:
    stage.fleet.cap.duplicate_items(timedelta(minutes=minutes))


@kind("lists-mixed-up", "lists of the boxes are out of order, with gaps and names of nothing", lambda d: (d.number(0, 99),))
def _lists_mixed_up(stage: Stage, seed: int) -> None:
    stage.fleet.cap.mix_up_lists(seed)


@kind("hidden", "every file with {0} in its name is missing on the access point", lambda d: (d.pick(DAMAGED),))
def _hidden(stage: Stage, part: str) -> None:
    stage.fleet.cap.hide(lambda path: part in path)


@kind("said-unchanged", "whoever holds a version of a file is told that it is the newest", lambda _: ())
def _said_unchanged(stage: Stage) -> None:
    stage.fleet.cap.say_unchanged()


@kind(
    "site-power-fails-at",
    "the power of the site will fail right before its effect number {0}",
    lambda d: (d.number(1, 60),),
    weight=4,
)
def _site_power_fails_at(stage: Stage, effect: int) -> None:
    stage.fleet.power.fail_at(effect)


def _is_shard(path: str) -> bool:
    return path.endswith(".lkp")


def _is_no_shard(path: str) -> bool:
    return not path.endswith(".lkp")


@kind("site-away", "the site server is away for {0} hours", lambda d: (d.number(1, 5),))
def _site_away(stage: Stage, hours: int) -> None:
    stage.fleet.site_away(timedelta(hours=hours))


@kind("site-disk-full", "the disk of the site is full", lambda _: (), weight=1)
def _site_disk_full(stage: Stage) -> None:
    stage.fleet.fill_site_disk()


@kind("site-disk-mended", "the disk of the site has room again", lambda _: ())
def _site_disk_mended(stage: Stage) -> None:
    stage.fleet.database.calm()
    for folder in (stage.fleet.cap, stage.fleet.rejected):
        folder.is_full = False
