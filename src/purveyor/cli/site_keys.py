"""`purveyor site keys …`: the site's keys, and signing on a machine that has no site.

Private halves go from file to file on one machine, never over the network, and are never printed.
"""

from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from purveyor.cli.call import Call, UsageError, first_line, site_folder_of
from purveyor.cli.output import Output, moment
from purveyor.cli.rest import rest_of
from purveyor.site_server.custody import judging
from purveyor.site_server.keys import KeyName, PrivateKey, id_of, open_keyring, path_in, read_key, write_key
from purveyor.transport.durable import give_as, write_new
from purveyor.wire import signing
from purveyor.wire.errors import RefusedError
from purveyor.wire.moments import utc_text

_PUBLIC_LIMIT = 200


def show_all(call: Call) -> int:
    """Lists the keys."""
    rows, output = rest_of(call).get("/keys", include_retired=call.arguments.all), call.output
    if output.is_json:
        output.give_json(rows)
        return 0
    output.give_table(
        ("role", "key", "state", "private half", "since", "what it signed expires"),
        ((row["role"], row["id"], row["state"], row["place"], moment(row["since"]), moment(row["expires_at"])) for row in rows),
        empty="there are no keys",
    )
    for row in rows:
        if row["alarm"]:
            output.say(f"{row['role']}: {row['alarm']}")
    return 0


def rotate(call: Call) -> int:
    """Lets new keys follow."""
    options, output = call.arguments, call.output
    if options.public and len(options.roles) > 1:
        raise UsageError("--public names the key of one role")
    public = _first_line(Path(options.public)) if options.public else ""
    asked = {"roles": options.roles, "public": public, "is_made_here": options.here}
    made = rest_of(call).post("/keys/rotations", asked)
    if output.is_json:
        output.give_json(made)
        return 0
    if made["waits_for"]:
        output.say(f"the new keys count once {' and '.join(made['waits_for'])} have signed: purveyor site keys export --to FILE")
    else:
        output.say(f"new keys of {', '.join(options.roles)} count from the next publication on")
    return 0


def export(call: Call) -> int:
    """Writes a signing request."""
    options = call.arguments
    target = _new_file(options.to)
    _write_request(call, rest_of(call).post("/keys/requests", {"is_anew": options.anew}), target)
    return 0


def request(call: Call) -> int:
    """Shows the open request."""
    options, output, rest = call.arguments, call.output, rest_of(call)
    if options.drop:
        output.done(rest.delete("/keys/requests/open"), "the request is given up")
        return 0
    seen = rest.get("/keys/requests/open")
    if seen is None:
        raise RefusedError("no signing request is open")
    if options.to:
        _write_request(call, seen, _new_file(options.to))
        return 0
    if output.is_json:
        output.give_json(seen)
    else:
        _give_request(output, seen)
    return 0


def sign(call: Call) -> int:
    """Signs a request."""
    options, output = call.arguments, call.output
    source = Path(options.request)
    target = _new_file(options.to or str(source.with_suffix(".answer")))
    asked = signing.decode_request(_read(source, signing.REQUEST_LIMIT_BYTES))
    passphrase = _passphrase(call)
    keys = [_signing_key(Path(name), passphrase) for name in options.key]
    answer = judging.answer_to(asked, keys)
    if not output.is_json:
        output.give(f"request {asked.number} of site {asked.site}, made {utc_text(asked.made_at)}, would change:")
        for line in judging.changes_in(asked):
            output.give(f"  {line}")
        output.give(f"it stands on {_few(judging.footing_of(asked))}")
    if not options.is_confirmed:
        output.say("sign this? type yes:")
        if output.stdin.readline().strip() != "yes":
            raise RefusedError("nothing was signed: type yes, or confirm with --yes what was read before")
    _write_new(target, msgspec.json.format(msgspec.json.encode(answer), indent=1))
    output.done(
        {"number": asked.number, "answer": str(target), "signed": sorted(answer.signatures), "summary": list(asked.summary)},
        f"signed; bring {target} back: purveyor site keys import {target.name}",
    )
    return 0


def import_answer(call: Call) -> int:
    """Takes an answer in."""
    content = _read(Path(call.arguments.answer), signing.ANSWER_LIMIT_BYTES).decode("utf-8", "replace")
    seen, output = rest_of(call).post("/keys/answers", {"file": content}), call.output
    waits = seen["waits_for"]
    text = f"still to sign: {', '.join(waits)}" if waits else "all signatures are there, and it is published in a moment"
    output.done(seen, f"request {seen['number']}: {text}")
    return 0


def make(call: Call) -> int:
    """Makes a key in a file."""
    options, output = call.arguments, call.output
    target = Path(options.file)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    public_file = _new_file(str(target) + ".pub")
    write_key(target, key, _passphrase(call))
    _write_new(public_file, f"{public}\n".encode())
    output.give_result(
        {"id": id_of(key), "public": public, "file": str(target), "public_file": str(public_file)},
        public,
        f"key {id_of(key)}: {target} stays here, {public_file} goes to: purveyor site keys rotate ROLE --public",
    )
    return 0


def remove(call: Call) -> int:
    """Moves a key off the server."""
    options, rest = call.arguments, rest_of(call)
    folder = site_folder_of(call) / "keys"
    name = KeyName(options.role, _current(rest.get("/keys"), options.role))
    key = open_keyring(folder).find(name)
    if key is None:
        raise RefusedError(f"the key of {name.role} is not in {folder}")
    target, passphrase = Path(options.to), _passphrase(call)
    write_key(target, key, passphrase)
    if id_of(read_key(target, passphrase)) != name.id:
        raise RefusedError(f"{target} does not hold what was written to it; the key stays on the server")
    seen = rest.post(f"/keys/{name.role}/{name.id}/remove")
    call.output.done(
        seen, f"the key {name.id} of {name.role} is in {target} now, and no longer on the server: keep a second copy"
    )
    return 0


def restore(call: Call) -> int:
    """Brings a key back."""
    options, rest = call.arguments, rest_of(call)
    folder = site_folder_of(call) / "keys"
    key = read_key(Path(options.file), _passphrase(call))
    rows = [row for row in rest.get("/keys") if row["id"] == id_of(key) and row["state"] in ("current", "next")]
    if not rows:
        raise RefusedError(f"the key {id_of(key)} does not count for any role of this site")
    for row in rows:
        name = KeyName(row["role"], row["id"])
        if row["place"] != "here":
            _put_back(folder, name, key)
        rest.post(f"/keys/{name.role}/{name.id}/restore")
    call.output.done(rows, f"the key {id_of(key)} of {rows[0]['role']} is on the server again; {options.file} stays as well")
    return 0


def _put_back(folder: Path, name: KeyName, key: PrivateKey) -> None:
    """Writes a key into the site's folder, owned as that is."""
    path = path_in(folder, name)
    write_key(path, key)
    give_as(folder, path)


def _current(rows: list[dict[str, Any]], role: str) -> str:
    return next(str(row["id"]) for row in rows if row["role"] == role and row["state"] == "current")


def _write_request(call: Call, seen: dict[str, Any], target: Path) -> None:
    _write_new(target, seen["file"].encode())
    shown = {name: value for name, value in seen.items() if name != "file"} | {"written_to": str(target)}
    if call.output.is_json:
        call.output.give_json(shown)
        return
    _give_request(call.output, seen)
    call.output.say(f"have it signed where the keys are: purveyor site keys sign {target.name} --key FILE")


def _give_request(output: Output, seen: dict[str, Any]) -> None:
    output.give(f"request {seen['number']}, exported at {moment(seen['made_at'])} by {seen['made_by']}:")
    for line in seen["summary"]:
        output.give(f"  {line}")
    output.give(f"it stands on {_few(seen['stands_on'])}")
    output.give(f"it waits for {', '.join(seen['waits_for']) or 'nothing: it is published in a moment'}")


def _few(names: list[str] | tuple[str, ...]) -> str:
    """The first of these names, and how many more there are."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _signing_key(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    key = read_key(path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise RefusedError(f"{path} holds a key that seals, and signs nothing")
    return key


def _passphrase(call: Call) -> bytes | None:
    """The passphrase in the file that was named. One that others can read is told, and used: a stick often keeps no rights."""
    name = call.arguments.passphrase_file
    if not name:
        return None
    passphrase = first_line(Path(name), "passphrase file").encode()
    if Path(name).stat().st_mode & 0o077:
        call.output.say(f"purveyor: others can read the passphrase in {name}: chmod 600 {name}, or mount its disk for you alone")
    return passphrase


def _first_line(path: Path) -> str:
    return _read(path, _PUBLIC_LIMIT * 10).decode("utf-8-sig", "replace").partition("\n")[0].strip()


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > limit_bytes:
        raise RefusedError(f"{path} is larger than it can be")
    return content


def _new_file(name: str) -> Path:
    path = Path(name)
    if path.exists():
        raise RefusedError(f"{path} is there already: nothing is overwritten")
    return path


def _write_new(path: Path, content: bytes) -> None:
    try:
        write_new(path, content)
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}") from error
