"""`purveyor site backup`, `restore` and `restored`: a copy of a site, a site again from it, and what is left to people then."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from purveyor.cli.call import Call, UsageError, site_folder_of
from purveyor.cli.mirror import doors_of
from purveyor.cli.output import Output, counted, moment, size
from purveyor.cli.rest import rest_of
from purveyor.recovery import backup as backups
from purveyor.recovery import restore as restoring
from purveyor.recovery.decisions import WITHOUT_HTTPS
from purveyor.recovery.place import laid_out
from purveyor.recovery.restore import Restored
from purveyor.site_server.admin import restoration
from purveyor.site_server.site import opened_site
from purveyor.transport.folder.point import FolderPoint
from purveyor.transport.open_point import Points
from purveyor.wire.boxes import cap_folder
from purveyor.wire.errors import RefusedError

DONE, DAMAGED = 0, 1


def make(call: Call) -> int:
    """Makes a backup, or reads one back."""
    options = call.arguments
    if options.keep < 0:
        raise UsageError(f"--keep {options.keep}: how many backups are to stay? 0 keeps all")
    if options.verify:
        return _verify(call, Path(options.dir).resolve())
    with opened_site(site_folder_of(call)) as site:
        made = backups.make(
            site, Path(options.dir), keep=options.keep, with_keys=not options.without_keys, by="site backup", note=call.output.say
        )
    if not options.without_keys:
        call.output.say("this backup holds the site's private keys and its administrator's token: whoever reads it is the site")
    answer = {
        "backup": str(made.folder),
        "bytes": made.size_bytes,
        "new_content_files": made.new_files,
        "rows": sum(made.manifest.rows.values()),
        "missing_content": list(made.manifest.missing),
        "dropped": list(made.dropped),
        "has_keys": made.manifest.has_keys,
    }
    rows = counted(sum(made.manifest.rows.values()), "row")
    call.output.done(answer, f"{made.folder} is complete: {rows}, {size(made.size_bytes)}, {made.new_files} new files of content")
    return DONE


def restore(call: Call) -> int:
    """Makes a site of a backup."""
    options, output = call.arguments, call.output
    backup, folder = Path(options.backup).resolve(), Path(options.dir)
    points = Points(doors_of(call).share_credentials)
    others = [points.at(url) for url in options.cap]
    with laid_out(
        backup,
        folder,
        database_url=options.database or "",
        keys_from=Path(options.keys) if options.keys else None,
        is_replacing=options.replace,
        now=datetime.now(UTC),
        note=output.say,
    ) as site:
        own = folder / cap_folder(site.code)
        restored = restoring.renew(
            site,
            backup,
            own=FolderPoint(own) if (own / "clidata.box" / "timestamp.json").exists() else None,
            others=others,
            by="site restore",
            note=output.say,
        )
    points.close()
    _show(output, backup, folder, restored)
    return DONE


def show_restored(call: Call) -> int:
    """Lists what the newest restore left to people."""
    seen, output = _restoration(call), call.output
    if output.is_json:
        output.give_json(seen)
        return DONE
    if seen is None:
        output.say("this site was never restored from a backup")
        return DONE
    output.say(f"restored at {moment(seen['at'])} by {seen['by']} from {seen['backup']}, incarnation {seen['incarnation']}")
    rows = [(row["kind"], row["about"], row["text"], row["seen_to"]) for row in seen["decisions"]]
    is_begun = any(seen_to for *_, seen_to in rows)
    columns = ("kind", "about", "what is to be looked at", *(("seen to",) if is_begun else ()))
    output.give_table(columns, (row[: len(columns)] for row in rows), empty="nothing is left to look at")
    return DONE


def _restoration(call: Call) -> Any:  # noqa: ANN401 - JSON, as the API gives it
    """The newest restore: of a site that is named by its folder, read there, since it is looked at before the site runs."""
    options, environment = call.arguments, call.environment
    if options.site or not (options.site_dir or (environment.get("PURVEYOR_SITE_DIR") and not environment.get("PURVEYOR_SITE"))):
        return rest_of(call).get("/restoration")
    with opened_site(site_folder_of(call)) as site, site.database.read() as tx:
        return msgspec.to_builtins(restoration.newest(tx))


def _verify(call: Call, folder: Path) -> int:
    """Reads a backup back, or the newest in a folder of backups."""
    complete = backups.complete_in(folder)
    if not complete and not (folder / "manifest.json").exists():
        raise RefusedError(f"{folder} is no backup, and holds none")
    backup = complete[-1] if complete else folder
    made_at = backups.manifest_of(backup).made_at
    problems = list(backups.problems_of(backup, note=call.output.say))
    call.output.done({"backup": str(backup), "problems": problems}, f"{backup}, made at {moment(made_at.isoformat())}, was read")
    for problem in problems:
        call.output.say(problem)
    if problems:
        raise RefusedError(f"{backup} is damaged: {counted(len(problems), 'problem')}")
    return DONE


def _show(output: Output, backup: Path, folder: Path, restored: Restored) -> None:
    decisions = [{"kind": one.kind, "about": one.about, "text": one.text} for one in restored.decisions]
    if output.is_json:
        answer = {"dir": str(folder), "backup": str(backup), "incarnation": restored.incarnation, "clients": restored.clients}
        output.give_json(msgspec.to_builtins({**answer, "access_point": restored.read, "decisions": decisions}))
        return
    witness = f"what {restored.read} had published since" if restored.read else "no access point could be read"
    output.say(f"{folder} is restored from {backup}: {counted(restored.clients, 'client')}; {witness}")
    output.give_table(
        ("kind", "about", "what is to be looked at"),
        ((one["kind"], one["about"], one["text"]) for one in decisions),
        empty="nothing is left to look at",
    )
    run = f"purveyor site run {folder}{' --https' if WITHOUT_HTTPS in restored.decisions else ''}"
    output.say(f"run it: {run}; the list is shown again by: purveyor site restored --site-dir {folder}")
