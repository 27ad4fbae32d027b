"""Valid examples of everything that comes from outside, written by our own code, from which hostile ones are made."""

import hashlib
import io
import json
import struct
import tarfile
from datetime import UTC, datetime, timedelta
from functools import cache

from securesystemslib.formats import encode_canonical

from package_files import compressed, control_archive
from page_world import HandDesk
from purveyor.client.page.peers import Visitor
from purveyor.recovery.form import FORMAT, BackupManifest
from purveyor.site_server.database.row_files import Stored
from purveyor.site_server.publish.repository import payload_of
from purveyor.wire import bundle, reports
from purveyor.wire.causes import Cause
from purveyor.wire.form import to_bytes
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId, ProgramNumber
from purveyor.wire.jobs import JobState
from purveyor.wire.manifest import File, Link, Manifest
from purveyor.wire.offers import (
    Advertisement,
    Assignment,
    AssignmentKind,
    CollectionOffers,
    ContentPlace,
    Request,
    RequestKind,
    RetirementNote,
    RunningChoice,
    Window,
)
from purveyor.wire.package_info import (
    Command,
    CommandRule,
    Conditions,
    FileRule,
    OsPackageRule,
    PackageInfo,
    Program,
    ProgramKey,
    Reporting,
    Superseded,
    Uninstall,
)
from purveyor.wire.reports import Body, Discovery, Facts, Item, Joining, Leaving, StatusMessage, StatusMessages
from purveyor.wire.schedule import Zone
from purveyor.wire.settings import AgentSettings, Point, SealingKey, Shards
from purveyor.wire.shards import ClientState, Entry, Shard
from purveyor.wire.signing import RoleToSign, SigningAnswer, SigningRequest, digest_of
from purveyor.wire.status_messages import StatusId
from small_site import SITE, SmallSite, fixed_keys, package
from upward_items import SEALED_TO, Machine

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SHA = "ab" * 32
PACKAGE = PackageId("S0100001")
OTHER = PackageId("S0100002")
MACHINE = Machine("pc1")
LOOKUP = fixed_keys().private("lookup")
PUBLIC = LOOKUP.public_key().public_bytes_raw().hex()
_KEY = ProgramKey(OTHER, ProgramNumber(2))

PACKAGE_INFO = PackageInfo(
    id=PACKAGE,
    name="Fine Editor",
    source_version=3,
    version="2.1",
    publisher="Example",
    manifest=SHA,
    size_bytes=4096,
    highest_program=3,
    programs=(
        Program(
            number=ProgramNumber(1),
            name="Install",
            command=Command(argv=("setup", "--quiet", "$HOME")),
            working_directory="bin",
            platforms=("linux/debian/12@x86_64",),
            depends_on=_KEY,
            uninstall=Uninstall(command=Command(shell_line="rm -r x | true"), files=("a/b",)),
            detection=FileRule(path="/opt/x", sha256=SHA),
            conditions=Conditions(min_free_bytes=100),
            reporting=Reporting(file_name="x.mif", product="X"),
            supersedes=(Superseded(key=_KEY, is_uninstalled=True),),
        ),
        Program(
            number=ProgramNumber(2),
            name="B",
            command=Command(shell_line="b"),
            detection=CommandRule(command=Command(argv=("true",)), max_run_seconds=5),
        ),
        Program(
            number=ProgramNumber(3),
            name="C",
            command=Command(argv=("c",)),
            detection=OsPackageRule(name="c", at_least="1:2.0-1"),
        ),
    ),
)
OFFERS = CollectionOffers(
    collection=CollectionId("S0110001"),
    advertisements=(
        Advertisement(
            id=AdvertisementId("S0120001"),
            package=PACKAGE,
            program=1,
            available_from=NOW,
            expires_at=NOW + timedelta(days=9),
            assignments=(
                Assignment(number=1, kind=AssignmentKind.ASAP),
                Assignment(number=2, kind=AssignmentKind.TIME, at=NOW.replace(tzinfo=None), zone=Zone.CLIENT),
                Assignment(
                    number=3,
                    kind=AssignmentKind.RECURRENCE,
                    at=NOW.replace(tzinfo=None),
                    rule="FREQ=MONTHLY;BYDAY=2TU;BYHOUR=3;BYSETPOS=-1",
                ),
            ),
            users=(r"CORP\alice",),
            groups=("staff",),
            spread_seconds=3600,
        ),
    ),
    disabled=(_KEY,),
    removals=(OTHER,),
    retirements=(RetirementNote(package=OTHER, running=RunningChoice.STOP),),
    places=(ContentPlace(manifest=SHA, points=("dp1",)),),
    windows=(
        Window(
            number=1,
            start=NOW.replace(tzinfo=None),
            duration_seconds=7200,
            rule="FREQ=WEEKLY;BYDAY=SA,SU;UNTIL=20300101",
            spread_seconds=600,
            catch_up=True,
        ),
        Window(number=2, start=NOW.replace(tzinfo=None), duration_seconds=7200, zone=Zone.UTC),
    ),
    requests=(
        Request(
            number=1,
            kind=RequestKind.STOP,
            advertisement=AdvertisementId("S0120001"),
            package=PACKAGE,
            program=1,
            made_at=NOW,
            expires_at=NOW + timedelta(days=1),
            clients=(MACHINE.id,),
        ),
    ),
)
SETTINGS = AgentSettings(
    site=SITE,
    incarnation=1,
    shards=Shards(generation=1, bits=4, keys=(PUBLIC,)),
    sealing_keys=(SealingKey(id="a", public=SHA),),
    access_points=(Point(id="cap1", url="."), Point(id="cap2", url="https://cap.example/cap", networks=("10.1.0.0/16",))),
    distribution_points=(Point(id="dp1", url="../dp"), Point(id="dp2", url="smb://server/DP_S01"), Point(id="dp3", url="./dp")),
    page_port=8475,
)
MANIFEST = Manifest(
    files=(File(path="bin/run", sha256=SHA, size_bytes=5, is_executable=True), File(path="c.txt", sha256=SHA, size_bytes=5)),
    links=(Link(path="bin/link", target="../c.txt"), Link(path="d", target="bin/./run")),
    folders=("empty/one",),
)
SHARD = Shard(
    generation=1,
    number=0,
    publication=7,
    snapshot=9,
    issued_at=NOW,
    expires_at=NOW + timedelta(days=14),
    entries={MACHINE.id: Entry(state=ClientState.MEMBER, received=4, collections=(CollectionId("S0110001"),))},
)

BODIES: tuple[Body, ...] = (
    Joining(secret="JBSWY3DPEHPK3PXP", facts=Facts(name="pc1", platform="linux/debian/12", addresses=("10.0.0.9",))),
    Discovery(
        facts=Facts(name="pc1", platform="linux/debian/12"),
        packages=(PACKAGE,),
        absent_requests=1,
        absent_by_point={"cap1": 0, "dp1": 1},
    ),
    StatusMessages(
        messages=(
            StatusMessage(
                id=StatusId.JOB_WAITING,
                at=NOW,
                package=PACKAGE,
                program=ProgramNumber(1),
                state=JobState.WAITING,
                cause=Cause.WINDOW,
                text="waits",
            ),
            StatusMessage(
                id=StatusId.PROGRAM_STARTED,
                at=NOW,
                package=PACKAGE,
                program=ProgramNumber(1),
                advertisement=AdvertisementId("S0120001"),
                occurrence="S0120001.1@2026-12-01",
                source_version=3,
                state=JobState.RUNNING,
                exit_code=-9,
                text="it began",
                user="alice",
                request=2,
            ),
        )
    ),
    Leaving(),
)


def item_of(body: Body) -> bytes:
    """The payload of an item, to be signed."""
    item = Item(
        client=MACHINE.id,
        public_key=MACHINE.public.hex(),
        sequence=5,
        oldest_kept=2,
        incarnation=1,
        applied=3,
        made_at=NOW,
        body=body,
        holding=(OTHER,),
    )
    return to_bytes(item)


ITEMS = tuple(item_of(body) for body in BODIES)
SEALED_ITEMS = tuple(
    (reports.BOX_OF[type(body)], Machine("pc1").sealed(body, sequence=place + 1)) for place, body in enumerate(BODIES)
)
SEALING_KEY_ID = SEALED_TO.id

SNAPSHOT_KEY = fixed_keys().private("snapshot")
SNAPSHOT_PUBLIC = SNAPSHOT_KEY.public_key().public_bytes_raw().hex()
PIECES = (
    bundle.Piece(path="CAP_S01/clidata.box/timestamp.json", sha256=hashlib.sha256(b"x").hexdigest(), size_bytes=1),
    bundle.Piece(path="DP_S01/files/ab/" + SHA, sha256=SHA, size_bytes=5, is_here=False),
)
BUNDLE = bundle.Bundle(
    site=SITE, made_at=NOW, root=1, timestamp=2, snapshot=3, scope=bundle.Scope.ALL, base=SHA, base_timestamp=1, pieces=PIECES
)
BACKUP = BackupManifest(
    format=FORMAT,
    site=SITE,
    made_at=NOW,
    revision="0001",
    incarnation=1,
    publication=2,
    versions={"root": 1},
    highest={"package": 3},
    rows={"package": 1},
    files={"rows/package.gz": Stored(size_bytes=3, sha256=SHA), "keys/root.key": Stored(size_bytes=3, sha256=SHA)},
    contents=(SHA,),
)
RECEIPT = bundle.Receipt(site=SITE, timestamp=2, paths=("clidata.box/1.root.json",))
REPORTS = bundle.Reports(pieces=(bundle.Piece(path="ddr.box/" + "0" * 32, sha256=SHA, size_bytes=5),))


def packed_bundle() -> bytes:
    """A stick in one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in ((bundle.LIST, bundle.sign(BUNDLE, SNAPSHOT_KEY)), (PIECES[0].path, b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@cache
def site() -> SmallSite:
    """A site that has published everything once."""
    made = SmallSite()
    made.add_packages(package("S0100001", 1, 2), package("S0100002", 1))
    made.offer(ProgramKey(PACKAGE, ProgramNumber(1)), collection=CollectionId("S0110001"))
    return made


def role(name: str) -> bytes:
    """The signed metadata of a role."""
    return site().repository.read(name)


def signed_part(name: str) -> bytes:
    """What of a role's metadata is signed, as JSON."""
    return json.dumps(json.loads(role(name))["signed"]).encode()


def metadata_of(payload: bytes, name: str) -> bytes:
    """Metadata with this signed part, signed by the role's key as far as it can be: what only the holder of the key can make."""
    try:
        covered = encode_canonical(json.loads(payload)).encode()
    except Exception:  # noqa: BLE001 - hostile on purpose; unsigned then
        covered = payload
    signer = fixed_keys().signer(name.partition("-")[0])
    made = signer.sign(covered)
    signatures = json.dumps([{"keyid": made.keyid, "sig": made.signature}]).encode()
    return b'{"signatures":' + signatures + b',"signed":' + payload + b"}"


@cache
def signing_request() -> SigningRequest:
    """A request that renews the root."""
    fields = json.loads(signed_part("root"))
    draft = json.dumps(fields | {"version": fields["version"] + 1})
    root = fixed_keys().private("root").public_key().public_bytes_raw().hex()
    return SigningRequest(
        kind="signing request",
        site=SITE,
        number=1,
        made_at=datetime(2026, 1, 2, tzinfo=UTC),
        summary=("renews root",),
        roles=(RoleToSign(name="root", standing=role("root").decode(), draft=draft, signers=(root,)),),
    )


@cache
def signing_answer() -> SigningAnswer:
    """An answer to that request."""
    request = signing_request()
    key = fixed_keys().private("root")
    public = key.public_key().public_bytes_raw().hex()
    made = key.sign(payload_of(request.roles[0].draft)).hex()
    return SigningAnswer(
        kind="signing answer", site=SITE, number=1, digest=digest_of(request), signatures={"root": {public: made}}
    )


MIF = b"""Start Component
  Name = "WORKSTATION"
  Start Group
    Name = "ComponentID"
    ID = 1
    Class = "DMTF|ComponentID|1.0"
    Start Attribute
      Name = "Product"  ID = 2  Access = READ-ONLY  Storage = SPECIFIC  Type = String(64)  Value = "Fine \\x45ditor"
    End Attribute
  End Group
  Start Group
    Name = "InstallStatus"
    ID = 2
    Class = "MICROSOFT|JOBSTATUS|1.0"
    Start Attribute
      Name = "Status"  ID = 1  Type = String(32)  Value = "Failed"
    End Attribute
    Start Attribute
      Name = "Description"  ID = 2  Type = String(128)  Value = "It did " "not work\\n"
    End Attribute
  End Group
End Component
"""

DEFINITION_2 = b"""[PDF]
Version=2.0
[Package Definition]
Publisher=Example
Name=Fine Editor
Version=2.1
Language=English
Comment=Writes texts
Programs=Install,Remove
[Install]
Name=Install
CommandLine=setup.exe /q
Run=Minimized
AfterRunning=SMSRestart
EstimatedDiskSpace=12MB
EstimatedRunTime=12
SupportedClients=Win NT (I386)
Win NT (I386) MinVersion1=4.00.1381.0
Win NT (I386) MaxVersion1=4.99.9999.9999
AdminRightsRequired=True
UserInputRequired=False
DependentProgram=Remove
[Remove]
Name=Remove
CommandLine=setup.exe /u
CanRunWhen=AnyUserStatus
"""
DEFINITION_1 = b"""[PDF]
Version=1.0
[Package Definition]
Product=Fine Editor
Version=1.0
WorkstationCommands=Typical
SetupVariations=Typical
[Typical Setup]
CommandLine=setup.exe
CommandName=Typical
UserInputRequired=FALSE
SynchronousSystemExitRequired=TRUE
SupportedPlatforms=Windows NT 3.1 (x86)
"""

CREDENTIALS = b"# for shares\nusername=clients\npassword=a b=c\ndomain=EXAMPLE\nencryption=off\n"
BUCKET_CREDENTIALS = b"[default]\naws_access_key_id = AKIA123\naws_secret_access_key = 'abc'\n[profile other]\nexport X=1\n"
S3_ERROR = b"<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error> returned 301"

PLAN = json.dumps(
    {
        "polls": [{"url": "http://127.0.0.1/cap/clidata.box/timestamp.json", "tag": '"1-2"'}],
        "next_poll_at": 1.0,
        "next_due_at": 2.5,
        "interval_seconds": 60.0,
        "watches": [{"url": "/run/utmp", "tag": "1-2-3"}],
        "boot_id": "x",
        "page_port": 8475,
    }
).encode()

SHOWN = to_bytes({"token": "x", "shown": HandDesk().look(Visitor(1000, "alice"))})

UTMP = struct.pack("=hxxi32s4s32s256shhiii16s20s", 7, 1, b"tty1", b"id", b"alice", b"", 0, 0, 0, 1767604496, 0, b"", b"")
LOGIND = b"UID=1000\nUSER=alice\nACTIVE=1\nSTATE=active\nTYPE=x11\nCLASS=user\nLEADER=1\nREALTIME=1767604496789012\nMONOTONIC=5\n"
GETENT = b"alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
CONTROL_ARCHIVE = control_archive("Package: sample\nVersion: 1\nArchitecture: all\n")
COMPRESSED = {kind: compressed(CONTROL_ARCHIVE, kind) for kind in (".gz", ".xz", ".zst")}

SHOWN_PROGRAM = json.dumps(
    json.loads(to_bytes(PACKAGE_INFO.programs[0]))
    | {"argv": ["setup"], "shell_line": "", "uninstall": {"argv": [], "shell_line": "rm x", "files": []}}
).encode()
