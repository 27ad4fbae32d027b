"""The tables of a site: the one place that says what is stored and who writes it.

Shape: times are aware UTC (microseconds since 1970 in the database); clients are referred to by a small number, everything else
by its id; what crosses to clients is stored as the JSON of its wire struct.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    column,
)

from purveyor.site_server.database.columns import Number, UtcTime, metadata
from purveyor.site_server.database.key_tables import signing_request, site_key
from purveyor.site_server.database.point_tables import point, point_asked, point_file, point_shard
from purveyor.site_server.database.publication_tables import down_file, role, shard, shard_generation, wanted

__all__ = [
    "down_file",
    "metadata",
    "point",
    "point_asked",
    "point_file",
    "point_shard",
    "role",
    "shard",
    "shard_generation",
    "signing_request",
    "site_key",
    "wanted",
]
"""What is defined elsewhere and looked for here, beside every table below."""

# --- the site itself -------------------------------------------------------------------------------------------------

site = Table(
    "site",
    metadata,
    Column("only", Integer, CheckConstraint('"only" = 1', name="one_row"), primary_key=True),
    Column("code", String(3), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("publication", BigInteger, nullable=False, comment="counts publications; shards state it"),
    Column("bin_bits", Integer, nullable=False, comment="two to this power bins per hashed role, fixed for life"),
    Column("settled_at", UtcTime, comment="the newest time that is known to have passed, whatever the clock shows"),
)

counter = Table(
    "counter",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False, comment="the highest number ever given; raised in the transaction that uses it"),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False, comment="JSON; absent means the default of site_server.model.settings"),
)

token = Table(
    "token",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False),
    Column("role", String(20), nullable=False, comment="admin or reader"),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("actor", String(100), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(64), nullable=False, index=True),
    Column("detail", Text, nullable=False, comment="JSON of what was asked"),
)

# --- clients ---------------------------------------------------------------------------------------------------------

join_code = Table(
    "join_code",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("expires_at", UtcTime),
    Column("uses_left", Integer, comment="null: any number"),
    Column("needs_approval", Boolean, nullable=False),
)

client = Table(
    "client",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("shard_key", BigInteger, nullable=False, index=True, comment="the leading 32 bits of the id"),
    Column("public_key", String(64), nullable=False),
    Column("name", String(255), nullable=False, index=True),
    Column("state", String(16), nullable=False, comment="waiting, member, blocked, rejoin"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("facts", Text, nullable=False, comment="JSON of wire.reports.Facts"),
    Column("joined_at", UtcTime, nullable=False),
    Column("join_code", BigInteger),
    Column("received", BigInteger, nullable=False, server_default="0", comment="all items up to here are stored"),
    Column("received_digest", String(16), nullable=False, server_default="", comment="of these items, one after the other"),
    Column("last_seen_at", UtcTime),
    Column("last_sequence", BigInteger, nullable=False, server_default="0"),
    Column(
        "applied", BigInteger, nullable=False, server_default="0", comment="newest snapshot whose effects the client committed"
    ),
    Column("holding", Text, nullable=False, server_default="[]", comment="JSON: ids it still runs, as of last_sequence"),
    Column("discovered_sequence", BigInteger, nullable=False, server_default="0"),
    Column("absent_requests", BigInteger, nullable=False, server_default="0"),
    Column("fork", Text, comment="JSON: the sequence and the two digests that prove a clone"),
    Column("lost_items", BigInteger, nullable=False, server_default="0"),
    Column("machine", String(64), nullable=False, server_default="", comment="machine id of the machine that joined"),
    Column("voices", Text, nullable=False, server_default="[]", comment="JSON of model.clones.Voice: who spoke last, in order"),
    Column("keeper", String(64), nullable=False, server_default="", comment="machine id, or nobody, once a clone is proved"),
    Column("was", String(32), nullable=False, server_default="", index=True, comment="client id with which it came; a clone"),
)

refusal = Table(
    "refusal",
    metadata,
    Column("client_id", String(32), primary_key=True),
    Column("shard_key", BigInteger, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("name", String(255), nullable=False),
    Column("sequence", BigInteger, nullable=False, comment="of the item that was refused; told as received"),
    Column("at", UtcTime, nullable=False, index=True),
)

upward_item = Table(
    "upward_item",
    metadata,
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("first_digest", String(64), nullable=False, server_default="", comment="under which it was told before"),
    Column("arrived_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

status_message = Table(
    "status_message",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("client", BigInteger, ForeignKey("client.number"), comment="who told it; null: the site itself, of a point"),
    Column("point", String(32), comment="id of the point that it is about; null: of none"),
    Column("sequence", BigInteger, nullable=False, comment="of the client's item; 0: the site itself told it"),
    Column("position", Integer, nullable=False, comment="within the item"),
    Column("arrived_at", UtcTime, nullable=False, index=True),
    Column("at", UtcTime, nullable=False, comment="by the clock of whoever told it"),
    Column("status", Integer, nullable=False),
    Column("severity", String(12), nullable=False),
    Column("package", String(8)),
    Column("program", Integer),
    Column("advertisement", String(8)),
    Column("occurrence", String(320), nullable=False),
    Column("source_version", Integer, nullable=False),
    Column("state", String(16)),
    Column(
        "cause", String(32), comment="what the job waits for, as its agent says (wire.causes); null: for nothing, or not said"
    ),
    Column("exit_code", BigInteger),
    Column("user", String(256), nullable=False, server_default="", comment="in whose session it happened; empty: in none"),
    Column("text", Text, nullable=False),
    Index("uq_status_message_place", "client", "sequence", "position", unique=True),
    Index("ix_status_message_package", "package", "id"),
    Index(
        "ix_status_message_point",
        "point",
        "id",
        sqlite_where=column("point").is_not(None),
        postgresql_where=column("point").is_not(None),
    ),
)

job_state = Table(
    "job_state",
    metadata,
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    Column("package", String(8), primary_key=True),
    Column("program", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("advertisement", String(8)),
    Column("occurrence", String(320), nullable=False),
    Column("source_version", Integer, nullable=False),
    Column("cause", String(32), comment="what it waits for, as its agent says (wire.causes); null: for nothing, or not said"),
    Column("exit_code", BigInteger),
    Column("user", String(256), nullable=False, server_default="", comment="in whose session it happened; empty: in none"),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("order", BigInteger, nullable=False, comment="sequence * 1000 + position of the message that said so"),
    Column("succeeded_version", Integer, comment="the newest source version that ever succeeded here"),
    Index("ix_job_state_package", "package", "program", "state"),
    sqlite_with_rowid=False,
)

# --- what is distributed ---------------------------------------------------------------------------------------------

package = Table(
    "package",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("version", String(100), nullable=False),
    Column("publisher", String(200), nullable=False),
    Column("source", Text, nullable=False, comment="where the content was taken from, for people; empty: none"),
    Column("state", String(16), nullable=False, comment="active, removing, retiring, withdrawn, purged, archived"),
    Column("source_version", Integer, nullable=False),
    Column("manifest", String(64), comment="of the current source version; null: no content"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("highest_program", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("running_choice", String(8), comment="finish, ask, stop"),
    Column("deleted_at", UtcTime),
    Column("deleted_by", String(100)),
    Column("replaced_by", String(8)),
    Column("removing_snapshot", BigInteger, comment="first snapshot that asks for the uninstallation"),
    Column("retired_snapshot", BigInteger, comment="first snapshot whose bin lacks the id"),
    Column("retired_at", UtcTime),
    Column("withdrawn_at", UtcTime),
    Column("purged_at", UtcTime),
    Column("archived_at", UtcTime),
    Column("freed_bytes", BigInteger),
)

program = Table(
    "program",
    metadata,
    Column("package", String(8), ForeignKey("package.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("definition", Text, nullable=False, comment="JSON of wire.package_info.Program"),
    Column("is_enabled", Boolean, nullable=False),
    Column("deleted_at", UtcTime),
)

collection = Table(
    "collection",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("is_all_systems", Boolean, nullable=False),
    Column("is_named", Boolean, nullable=False, comment="says something, so shards name it; stays true until it is deleted"),
    Column("created_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
)

collection_rule = Table(
    "collection_rule",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("collection", String(8), ForeignKey("collection.id"), nullable=False),
    Column("kind", String(8), nullable=False, comment="direct, include, exclude (query comes later)"),
    Column("client", BigInteger, ForeignKey("client.number"), index=True),
    Column("other", String(8), index=True, comment="the collection that is included or excluded"),
    Index("ix_collection_rule_place", "collection", "client"),
)

member = Table(
    "member",
    metadata,
    Column("collection", String(8), ForeignKey("collection.id"), primary_key=True),
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    Index("ix_member_client", "client"),
    sqlite_with_rowid=False,
)

maintenance_window = Table(
    "maintenance_window",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="of the counter; never given twice"),
    Column("collection", String(8), ForeignKey("collection.id"), nullable=False, index=True),
    Column("definition", Text, nullable=False, comment="JSON of wire.offers.Window"),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("deleted_at", UtcTime),
)

advertisement = Table(
    "advertisement",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("package", String(8), ForeignKey("package.id"), nullable=False, index=True),
    Column("program", Integer, nullable=False),
    Column("collection", String(8), ForeignKey("collection.id"), nullable=False, index=True),
    Column("available_from", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("is_paused", Boolean, nullable=False),
    Column("each_version", Boolean, nullable=False),
    Column("highest_assignment", Integer, nullable=False),
    Column("assignments", Text, nullable=False, comment="JSON of wire.offers.Assignment, those that stand"),
    Column("options", Text, nullable=False, server_default="{}", comment="JSON of model.advertising.Options"),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("deleted_at", UtcTime),
)

request = Table(
    "request",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="of the counter; never given twice"),
    Column("kind", String(12), nullable=False, comment="cancel, stop, run-again"),
    Column("advertisement", String(8), ForeignKey("advertisement.id"), nullable=False, index=True),
    Column("clients", Text, comment="JSON: ids of those that it is for; null: all members of the collection"),
    Column("only_failed", Boolean, nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("made_by", String(100), nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime, index=True, comment="since when clients are not told of it any more; null: they are"),
)

request_answer = Table(
    "request_answer",
    metadata,
    Column("request", BigInteger, ForeignKey("request.number"), primary_key=True),
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    Column("outcome", String(10), nullable=False, comment="done, too-late, refused"),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False, comment="by the client's clock"),
    Column("arrived_at", UtcTime, nullable=False),
    Column("order", BigInteger, nullable=False, comment="sequence * 1000 + position of the message that said so"),
    sqlite_with_rowid=False,
)

offered_before = Table(
    "offered_before",
    metadata,
    Column("package", String(8), ForeignKey("package.id"), primary_key=True),
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    sqlite_with_rowid=False,
)

holder = Table(
    "holder",
    metadata,
    Column("package", String(8), ForeignKey("package.id"), primary_key=True),
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    Column("removed_at", UtcTime, comment="when it said that the removal is done"),
    Column("acknowledged_at", UtcTime, comment="when it said that it has forgotten the package"),
    Index("ix_holder_client", "client"),
    sqlite_with_rowid=False,
)

# --- content ---------------------------------------------------------------------------------------------------------

manifest = Table(
    "manifest",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("taken_in_at", UtcTime, nullable=False),
    Column("superseded_at", UtcTime, comment="since when no package needs it"),
    Column("removed_at", UtcTime, comment="when its last copy was seen to be gone"),
)

manifest_file = Table(
    "manifest_file",
    metadata,
    Column("manifest", String(64), ForeignKey("manifest.sha256"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Index("ix_manifest_file_sha256", "sha256"),
    sqlite_with_rowid=False,
)

source_version = Table(
    "source_version",
    metadata,
    Column("package", String(8), ForeignKey("package.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("manifest", String(64), index=True),
    Column("taken_in_at", UtcTime, nullable=False),
)

content_copy = Table(
    "content_copy",
    metadata,
    Column("point", String(32), primary_key=True, comment="id of the distribution point"),
    Column("manifest", String(64), ForeignKey("manifest.sha256"), primary_key=True),
    Column("state", String(10), nullable=False, comment="waiting (not there yet), verified (named), unnamed (to be removed)"),
    Column("since", UtcTime, nullable=False, comment="of the state; of a waiting one, when it was last tried"),
    Column("checked_at", UtcTime, comment="when its bytes were last read there and found right"),
    Column("failures", Integer, nullable=False, server_default="0", comment="tries in a row that failed"),
    Column("problem", Text, nullable=False, server_default="", comment="why the last try failed"),
)
