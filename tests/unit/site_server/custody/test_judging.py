"""What a signing request changes is found from its metadata and files; whatever no site asks for is refused."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata

from purveyor.lab.clock import Clock
from purveyor.site_server.custody.judging import answer_to, changes_in, check_answer, footing_of
from purveyor.site_server.publish import repository
from purveyor.wire import package_info, signing
from purveyor.wire.errors import RefusedError, RejectedError
from purveyor.wire.signing import RoleToSign, SigningRequest
from small_site import LIFETIMES, SITE, Repository, fixed_keys, package, replaced_keys

OLD, NEW = package("S0100001", 1, name="Viewer", version="1.0"), package("S0100002", 1, name="Editor", version="4.2")


def public(role: str, name: str = "site") -> str:
    """The public half of a key, in hexadecimal."""
    return fixed_keys(name).signing[role].public_key().public_bytes_raw().hex()


def request_for(site: Repository, changes: repository.Changes, *files: bytes) -> SigningRequest:
    """A request for these changes, as the site would export it."""
    drafts = repository.drafts(site.read, changes, lifetimes=LIFETIMES, now=site.clock.now())
    roles = []
    for draft in drafts:
        role = draft.name.partition("-")[0]
        if role in ("offers", "settings"):  # signed on the server
            continue
        after = changes.new_keys.get(role, public(role))
        signers = tuple(dict.fromkeys((public("root"), after))) if role == "root" else (after,)
        text = json.dumps(repository.unsigned(draft.signed).to_dict()["signed"])
        roles.append(RoleToSign(name=draft.name, standing=site.read(draft.name).decode(), draft=text, signers=signers))
    request = SigningRequest(
        kind="signing request",
        site=SITE,
        number=3,
        made_at=site.clock.now(),
        summary=(),
        roles=tuple(roles),
        new_keys=dict(changes.new_keys),
        files={repository.digest_in(repository.path_of_target("x/y", content)): content.decode() for content in files},
    )
    return msgspec.structs.replace(request, summary=changes_in(request))


@pytest.fixture
def site() -> Repository:
    """A site that has published one package."""
    made = Repository(Clock())
    made.publish({package_info.path_of(OLD.id): package_info.encode(OLD)}, highest={"packages": 1})
    return made


@pytest.fixture
def request_(site: Repository) -> SigningRequest:
    """A request that adds one package and deletes the other."""
    changes = repository.Changes(
        targets={package_info.path_of(OLD.id): None, package_info.path_of(NEW.id): package_info.encode(NEW)},
        highest={"packages": 2},
    )
    return request_for(site, changes, package_info.encode(OLD), package_info.encode(NEW))


def test_the_changes_are_said_in_words(request_: SigningRequest) -> None:
    said = changes_in(request_)
    assert said[0] == "deletes S0100001 Viewer 1.0"
    assert said[1:3] == ("adds S0100002 Editor 4.2 (source version 1)", "adds S0100002 program 1 program 1: true")
    assert "raises the highest number of packages from 1 to 2" in said
    assert any(one.startswith("packages ") for one in footing_of(request_))


def test_an_answer_holds_for_its_request_and_for_no_other(request_: SigningRequest) -> None:
    answer = answer_to(request_, [fixed_keys().signing["packages"]])
    check_answer(request_, answer)
    assert set(answer.signatures) == {role.name for role in request_.roles}
    with pytest.raises(RejectedError, match="another request"):
        check_answer(msgspec.structs.replace(request_, number=4), answer)


def test_neither_file_holds_a_private_key(request_: SigningRequest) -> None:
    key = fixed_keys().signing["packages"]
    text = msgspec.json.encode(request_) + msgspec.json.encode(answer_to(request_, [key]))
    assert key.private_bytes_raw().hex().encode() not in text
    assert b"PRIVATE" not in text


def test_a_key_that_is_asked_for_nothing_is_told_which_are(request_: SigningRequest) -> None:
    with pytest.raises(RefusedError, match="the request asks for packages"):
        answer_to(request_, [Ed25519PrivateKey.generate()])


def test_a_summary_that_says_something_else_is_refused(request_: SigningRequest) -> None:
    with pytest.raises(RejectedError, match="altered"):
        answer_to(msgspec.structs.replace(request_, summary=("nothing",)), [fixed_keys().signing["packages"]])


def altered(request: SigningRequest, name: str, change: Callable[[dict[str, Any]], object]) -> SigningRequest:
    """The request with one of its drafts changed by somebody."""
    roles = []
    for role in request.roles:
        fields = json.loads(role.draft)
        if role.name.startswith(name):
            change(fields)
        roles.append(msgspec.structs.replace(role, draft=json.dumps(fields)))
    return msgspec.structs.replace(request, roles=tuple(roles))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("packages", lambda fields: fields.update(version=99)),
        ("packages", lambda fields: fields.update(expires="2099-01-01T00:00:00Z")),
        ("packages", lambda fields: fields.update(expires="2020-01-01T00:00:00Z")),
        ("packages", lambda fields: fields.update(something="else")),
        ("packages-", lambda fields: fields.update(role="packages-9")),
        (
            "packages-",
            lambda fields: fields["targets"].update({"pkginfo.box/S0100009.pkg": {"length": 1, "hashes": {"sha256": "0"}}}),
        ),
        ("packages-", lambda fields: fields.update(delegations={"keys": {}, "roles": []})),
    ],
)
def test_what_no_site_asks_for_is_refused(
    request_: SigningRequest, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(RejectedError):
        changes_in(altered(request_, name, change))


def test_a_file_that_is_not_the_listed_one_is_refused(request_: SigningRequest) -> None:
    files = {digest: text.replace("Editor", "Editxr") for digest, text in request_.files.items()}
    with pytest.raises(RejectedError, match="not the file that is listed"):
        changes_in(msgspec.structs.replace(request_, files=files))


def test_what_stands_must_be_signed_by_the_key_at_hand(site: Repository, request_: SigningRequest) -> None:
    roles = []
    for role in request_.roles:
        metadata = Metadata.from_bytes(role.standing.encode())
        metadata.signatures.clear()
        metadata.sign(fixed_keys("thief").signer("packages"))
        roles.append(msgspec.structs.replace(role, standing=metadata.to_bytes().decode()))
    with pytest.raises(RejectedError, match="was not signed by this key"):
        answer_to(msgspec.structs.replace(request_, roles=tuple(roles)), [fixed_keys().signing["packages"]])


def test_a_name_cannot_look_like_another_change(site: Repository) -> None:
    sly = package("S0100002", 1, name="Editor\ndeletes nothing")
    changes = repository.Changes(targets={package_info.path_of(sly.id): package_info.encode(sly)})
    said = changes_in(request_for(site, changes, package_info.encode(sly)))
    assert said[0] == r"adds S0100002 Editor\x0adeletes nothing (source version 1)"


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "packages", "agent", "offers", "settings"])
def test_a_change_of_key_is_said_and_signed_by_who_must(site: Repository, role: str) -> None:
    request = request_for(site, repository.Changes(new_keys={role: public(role, "new")}))
    assert any(line.startswith(f"changes the key of {role} from ") for line in changes_in(request))
    answer = answer_to(
        request,
        [
            key
            for name, key in [*fixed_keys().signing.items(), *replaced_keys(role).signing.items()]
            if any(key.public_key().public_bytes_raw().hex() in one.signers for one in request.roles)
        ],
    )
    check_answer(request, answer)


def test_keys_and_thresholds_that_the_request_does_not_name_cannot_change(site: Repository) -> None:
    request = request_for(site, repository.Changes(new_keys={"timestamp": public("timestamp", "new")}))

    def lower(fields: dict[str, Any]) -> None:
        fields["roles"]["root"]["keyids"] = fields["roles"]["timestamp"]["keyids"]

    with pytest.raises(RejectedError, match="root would change in a way"):
        changes_in(altered(request, "root", lower))


def test_what_is_only_signed_anew_is_said_with_its_new_end(site: Repository) -> None:
    site.clock.advance(timedelta(days=200))
    request = request_for(site, repository.Changes(renew=frozenset({"packages", "packages-0", "packages-1", "root"})))
    assert len(changes_in(request)) == 1
    assert changes_in(request)[0].endswith("root, packages, 2 bins of packages")


def test_a_request_that_is_too_large_or_none_is_rejected() -> None:
    for content in (b"", b"{}", b"[]", b'{"kind":"signing answer"}', b"\xff" * 10):
        with pytest.raises(RejectedError):
            signing.decode_request(content)
    with pytest.raises(RejectedError, match="more than"):
        signing.decode_answer(b" " * (signing.ANSWER_LIMIT_BYTES + 1))
