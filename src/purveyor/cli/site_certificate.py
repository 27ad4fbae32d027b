"""`purveyor site certificate …`, and what a running site does about its certificate from moment to moment."""

import logging
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from purveyor.cli.call import SITE_CERTIFICATE_FILE, Call, site_folder_of
from purveyor.cli.output import counted, moment
from purveyor.site_server import certificates
from purveyor.site_server.admin import https_pins
from purveyor.site_server.admin.https_pins import Hearing
from purveyor.site_server.certificates import Chain, Held
from purveyor.site_server.site import Site, no_site_in, opened_site
from purveyor.wire.errors import PurveyorError, RefusedError, RejectedError
from purveyor.wire.pins import pin_in

_LOG = logging.getLogger(__name__)
_MOVE = (
    "stop it, move the folder https/ away, run it, and say `purveyor point edit cap1 --url https://…`; "
    "when they have polled, bring the folder back"
)
_ANY = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound here


class HttpsKeeper:
    """Keeps a running site's certificate: renews it in time, shows it, and lets clients be told of its keys."""

    def __init__(self, site: Site, folder: Path) -> None:
        """Takes up what counts. Errors: RefusedError."""
        self._site, self._folder = site, folder
        self._shown: tuple[tuple[str, int, int], ...] = ()
        self._problem = ""
        with site.database.read() as tx:
            left_behind, looked_for = https_pins.left_behind(tx), https_pins.looked_for(tx)
        self.chain = self._keep()
        if self.chain is None and looked_for:
            _LOG.warning(https_pins.UNSERVED.format(looked_for))
        if self.chain and left_behind:
            _LOG.warning("%s know an http:// address alone, which answers no more: %s", counted(left_behind, "member"), _MOVE)
        if self.chain:
            certificates.check(self.chain)
            self._note_shown(self.chain)

    def look(self, show: Callable[[Chain], None]) -> None:
        """One look; a certificate that has changed is handed to `show`.

        What cannot be used is told in the log once, and what was shown before goes on being shown.
        """
        if self.chain is None:
            return
        try:
            chain = self._keep() or self.chain
            if _stamp(chain) != self._shown:
                show(chain)
                self._note_shown(chain)
                _LOG.info("another certificate is shown from now on: %s", chain.certificate)
            self._problem = ""
        except (OSError, PurveyorError) as error:  # of the files, or of the database: the site itself goes on
            if str(error) != self._problem:
                _LOG.error("the certificate cannot be changed: %s", error)
            self._problem = str(error)

    def _note_shown(self, chain: Chain) -> None:
        """Remembers what is shown, and leaves it in the site's folder, where the command line and administrators find it."""
        self.chain, self._shown = chain, _stamp(chain)
        aside = self._folder / f"{SITE_CERTIFICATE_FILE}.new"
        aside.write_bytes(chain.certificate.read_bytes())
        os.replace(aside, self._folder / SITE_CERTIFICATE_FILE)

    def _keep(self) -> Chain | None:
        """Renews what is to be renewed, and announces what is to be told. Shape: the files that count."""
        site, now = self._site, self._site.clock()
        if certificates.renew(self._folder, now):
            _LOG.info("the certificate of the site was signed anew")
        of = certificates.held(self._folder)
        if of is None:
            return None
        chain = certificates.chain_of(self._folder, of)
        if of.is_pinned and certificates.pin_at(chain.certificate) != of.pin:
            raise RefusedError(
                f"{chain.certificate} has another key than clients know: `purveyor site certificate use` changes it"
            )
        if not of.announced_snapshot:
            with site.database.write() as tx:
                is_news = https_pins.announce(tx, of.pins, by="site", now=now)
                snapshot = 0 if is_news else https_pins.published_in(tx)
            if is_news:
                site.poke()
            elif snapshot:
                certificates.note_announced(self._folder, of, snapshot, now)
        return chain


def names_of(host: str) -> tuple[str, ...]:
    """The names under which a site that listens there is reached; the machine's own where a certificate can be for it."""
    own = socket.gethostname()
    return tuple(dict.fromkeys(name for name in (host, *[own] * certificates.is_name(own)) if name not in _ANY))


def make_own(call: Call) -> int:
    """Makes a certificate of the site's own."""
    folder = _folder(call)
    made = certificates.make(folder, (*names_of(_ANY[0]), *call.arguments.name), datetime.now(UTC))
    path = certificates.chain_of(folder, made).certificate
    call.output.done(_answer(folder, made, None), f"{path} is for {', '.join(made.names)}; `site run` serves HTTPS with it")
    return 0


def use(call: Call) -> int:
    """Uses a certificate from elsewhere."""
    options, folder = call.arguments, _folder(call)
    try:
        next_pin = pin_in(options.next_pin) if options.next_pin else ""
    except RejectedError as error:
        raise RefusedError(str(error)) from error
    certificate, key = Path(options.certificate), Path(options.key)
    with opened_site(folder) as site:
        before, pin = certificates.held(folder), certificates.pin_at(certificate)
        if before is not None and before.pins and pin != before.pin and not options.no_pins:
            is_next = pin == before.next_pin
            _refuse_early(site, before if is_next else None, is_forced=options.force, now=site.clock())
        used = certificates.use(folder, certificate, key, next_pin=next_pin, is_pinned=not options.no_pins, now=site.clock())
    call.output.done(_answer(folder, used, None), f"{certificate} is used; `site run` serves HTTPS with it")
    return 0


def rotate(call: Call) -> int:
    """Lets the next key come into use."""
    folder = _folder(call)
    with opened_site(folder) as site:
        before = certificates.held(folder)
        if before is not None and before.is_own:
            _refuse_early(site, before, is_forced=call.arguments.force, now=site.clock())
        after = certificates.rotate(folder, site.clock())
    words = f"the key {after.pin} is in use, and {after.next_pin} is announced as the next one; the old key is destroyed"
    call.output.done(_answer(folder, after, None), words)
    return 0


def show(call: Call) -> int:
    """Shows what counts."""
    folder, output = _folder(call), call.output
    of = certificates.held(folder)
    if of is None:
        output.done(None, "this site serves HTTP; `purveyor site certificate make` gives it a certificate")
        return 0
    with opened_site(folder) as site, site.database.read() as tx:
        hearing = https_pins.hearing(tx, of.announced_snapshot)
    answer = _answer(folder, of, hearing)
    if output.is_json:
        output.give_json(answer)
        return 0
    lines = (
        ("certificate", answer["certificate"]),
        ("good until", moment(str(answer["expires_at"]))),
        ("names", ", ".join(of.names) or "those that it was given with"),
        ("pin", f"{of.pin}" + ("" if of.is_pinned else " (clients are not told of it)")),
        ("next pin", of.next_pin or "-"),
        ("announced", moment(of.announced_at.isoformat()) if of.announced_at else "not published yet"),
        ("not heard of", f"{hearing.unheard} of {counted(hearing.members, 'member')} have not said that they read it"),
    )
    for name, value in lines:
        output.give(f"{name + ':':14}{value}")
    return 0


def _refuse_early(site: Site, of: Held | None, *, is_forced: bool, now: datetime) -> None:
    """Errors: RefusedError while clients do not know the key that is to come; None: no client was ever told of it."""
    with site.database.read() as tx:
        hearing = https_pins.hearing(tx, of.announced_snapshot if of else 0)
    is_old = bool(of and of.announced_at and now >= of.announced_at + certificates.ANNOUNCED_FOR)
    if is_forced or is_old or not hearing.unheard:
        return
    which = "the next key" if of else "this key, which was not announced (--next-pin),"
    raise RefusedError(
        f"{hearing.unheard} of {counted(hearing.members, 'member')} have not heard of {which} yet: they would report nothing "
        "until they have polled. Wait, or say --force; none is lost either way"
    )


def _answer(folder: Path, of: Held, hearing: Hearing | None) -> dict[str, object]:
    certificate = certificates.chain_of(folder, of).certificate
    answer: dict[str, object] = {
        "certificate": str(certificate),
        "expires_at": certificates.ends(certificate).isoformat(),
        "names": list(of.names),
        "is_own": of.is_own,
        "is_pinned": of.is_pinned,
        "pin": of.pin,
        "next_pin": of.next_pin,
        "announced_at": of.announced_at.isoformat() if of.announced_at else None,
    }
    return answer if hearing is None else answer | {"members": hearing.members, "unheard": hearing.unheard}


def _folder(call: Call) -> Path:
    folder = site_folder_of(call)
    if not folder.is_dir():
        raise no_site_in(folder)
    return folder


def _stamp(chain: Chain) -> tuple[tuple[str, int, int], ...]:
    """What differs when a certificate or key was replaced. Errors: OSError."""
    return tuple((str(path), seen.st_mtime_ns, seen.st_ino) for path, seen in ((path, os.stat(path)) for path in chain))
