"""All tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From nothing to the first release."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON of what was asked"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_object"), "audit", ["object"], unique=False)
    op.create_table(
        "client",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("shard_key", sa.BigInteger(), nullable=False, comment="the leading 32 bits of the id"),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="waiting, member, blocked, rejoin"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("facts", sa.Text(), nullable=False, comment="JSON of wire.reports.Facts"),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("join_code", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.BigInteger(), server_default="0", nullable=False, comment="all items up to here are stored"),
        sa.Column(
            "received_digest",
            sa.String(length=16),
            server_default="",
            nullable=False,
            comment="of these items, one after the other",
        ),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("last_sequence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "applied",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="newest snapshot whose effects the client committed",
        ),
        sa.Column(
            "holding", sa.Text(), server_default="[]", nullable=False, comment="JSON: ids it still runs, as of last_sequence"
        ),
        sa.Column("discovered_sequence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("absent_requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fork", sa.Text(), nullable=True, comment="JSON: the sequence and the two digests that prove a clone"),
        sa.Column("lost_items", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "machine", sa.String(length=64), server_default="", nullable=False, comment="machine id of the machine that joined"
        ),
        sa.Column(
            "voices",
            sa.Text(),
            server_default="[]",
            nullable=False,
            comment="JSON of model.clones.Voice: who spoke last, in order",
        ),
        sa.Column(
            "keeper",
            sa.String(length=64),
            server_default="",
            nullable=False,
            comment="machine id, or nobody, once a clone is proved",
        ),
        sa.Column(
            "was", sa.String(length=32), server_default="", nullable=False, comment="client id with which it came; a clone"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_client")),
        sa.UniqueConstraint("id", name=op.f("uq_client_id")),
    )
    op.create_index(op.f("ix_client_name"), "client", ["name"], unique=False)
    op.create_index(op.f("ix_client_shard_key"), "client", ["shard_key"], unique=False)
    op.create_index(op.f("ix_client_was"), "client", ["was"], unique=False)
    op.create_table(
        "collection",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("is_all_systems", sa.Boolean(), nullable=False),
        sa.Column(
            "is_named", sa.Boolean(), nullable=False, comment="says something, so shards name it; stays true until it is deleted"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
    )
    op.create_table(
        "counter",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column(
            "value",
            sa.BigInteger(),
            nullable=False,
            comment="the highest number ever given; raised in the transaction that uses it",
        ),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_counter")),
    )
    op.create_table(
        "down_file",
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=False,
            comment="the signed bytes as published: a damaged box is rebuilt from them",
        ),
        sa.Column("written_at", sa.BigInteger(), nullable=True, comment="null: not yet seen in the box"),
        sa.Column("unnamed_since", sa.BigInteger(), nullable=True, comment="since when no published metadata names it"),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_down_file")),
    )
    op.create_index(op.f("ix_down_file_unnamed_since"), "down_file", ["unnamed_since"], unique=False)
    op.create_index(
        "ix_down_file_unwritten",
        "down_file",
        ["path"],
        unique=False,
        sqlite_where=sa.column("written_at").is_(None),
        postgresql_where=sa.column("written_at").is_(None),
    )
    op.create_table(
        "join_code",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("uses_left", sa.Integer(), nullable=True, comment="null: any number"),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_code")),
        sa.UniqueConstraint("digest", name=op.f("uq_join_code_digest")),
    )
    op.create_table(
        "manifest",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("taken_in_at", sa.BigInteger(), nullable=False),
        sa.Column("superseded_at", sa.BigInteger(), nullable=True, comment="since when no package needs it"),
        sa.Column("removed_at", sa.BigInteger(), nullable=True, comment="when its last copy was seen to be gone"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_manifest")),
    )
    op.create_table(
        "package",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("publisher", sa.String(length=200), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="where the content was taken from, for people; empty: none"),
        sa.Column(
            "state", sa.String(length=16), nullable=False, comment="active, removing, retiring, withdrawn, purged, archived"
        ),
        sa.Column("source_version", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=True, comment="of the current source version; null: no content"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("highest_program", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("running_choice", sa.String(length=8), nullable=True, comment="finish, ask, stop"),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_by", sa.String(length=100), nullable=True),
        sa.Column("replaced_by", sa.String(length=8), nullable=True),
        sa.Column("removing_snapshot", sa.BigInteger(), nullable=True, comment="first snapshot that asks for the uninstallation"),
        sa.Column("retired_snapshot", sa.BigInteger(), nullable=True, comment="first snapshot whose bin lacks the id"),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("purged_at", sa.BigInteger(), nullable=True),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        sa.Column("freed_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
    )
    op.create_table(
        "refusal",
        sa.Column("client_id", sa.String(length=32), nullable=False),
        sa.Column("shard_key", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="of the item that was refused; told as received"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_refusal")),
    )
    op.create_index(op.f("ix_refusal_at"), "refusal", ["at"], unique=False)
    op.create_index(op.f("ix_refusal_shard_key"), "refusal", ["shard_key"], unique=False)
    op.create_table(
        "role",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the signed bytes as published"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_role")),
    )
    op.create_index(op.f("ix_role_expires_at"), "role", ["expires_at"], unique=False)
    op.create_table(
        "setting",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="JSON; absent means the default of site_server.model.settings"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "shard",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("publication", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.Column("is_written", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "number", name=op.f("pk_shard")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_shard_expires_at"), "shard", ["expires_at"], unique=False)
    op.create_index(
        "ix_shard_unwritten",
        "shard",
        ["generation", "number"],
        unique=False,
        sqlite_where=sa.column("is_written").is_(False),
        postgresql_where=sa.column("is_written").is_(False),
    )
    op.create_index(
        "ix_shard_wanted",
        "shard",
        ["is_wanted", "generation", "number"],
        unique=False,
        sqlite_where=sa.column("is_wanted").is_(True),
        postgresql_where=sa.column("is_wanted").is_(True),
    )
    op.create_table(
        "shard_generation",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False, comment="two to this power shards"),
        sa.Column(
            "announced_at",
            sa.BigInteger(),
            nullable=True,
            comment="null: being built; the highest announced one stands in the settings",
        ),
        sa.Column("superseded_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "lookup_key",
            sa.String(length=16),
            server_default="",
            nullable=False,
            comment="id of the key that signs it; empty: the current one",
        ),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_shard_generation")),
    )
    op.create_table(
        "signing_request",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the counter; never given twice"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="open, signed, published, dropped"),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the request as it was exported"),
        sa.Column("wants", sa.Text(), nullable=False, comment="JSON: kind, key and revision of what it publishes"),
        sa.Column("signatures", sa.Text(), nullable=False, comment="JSON: by role and public key, those that came so far"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_signing_request")),
    )
    op.create_index(op.f("ix_signing_request_state"), "signing_request", ["state"], unique=False)
    op.create_table(
        "site_key",
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("public", sa.String(length=64), nullable=False, comment="raw public half, in hexadecimal"),
        sa.Column(
            "state",
            sa.String(length=10),
            nullable=False,
            comment="next, current, former (still used for a time), retired",
        ),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="since when it is in this state"),
        sa.Column("is_here", sa.Boolean(), nullable=False, comment="whether its private half was here when last looked"),
        sa.PrimaryKeyConstraint("role", "id", name=op.f("pk_site_key")),
    )
    op.create_table(
        "site",
        sa.Column("only", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=3), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("publication", sa.BigInteger(), nullable=False, comment="counts publications; shards state it"),
        sa.Column("bin_bits", sa.Integer(), nullable=False, comment="two to this power bins per hashed role, fixed for life"),
        sa.Column(
            "settled_at",
            sa.BigInteger(),
            nullable=True,
            comment="the newest time that is known to have passed, whatever the clock shows",
        ),
        sa.CheckConstraint('"only" = 1', name=op.f("ck_site_one_row")),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_site")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False, comment="admin or reader"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    op.create_table(
        "wanted",
        sa.Column("kind", sa.String(length=12), nullable=False, comment="package, offers, settings"),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False, comment="raised with every change, in its transaction"),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_wanted")),
    )
    op.create_table(
        "advertisement",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("package", sa.String(length=8), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("collection", sa.String(length=8), nullable=False),
        sa.Column("available_from", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("each_version", sa.Boolean(), nullable=False),
        sa.Column("highest_assignment", sa.Integer(), nullable=False),
        sa.Column("assignments", sa.Text(), nullable=False, comment="JSON of wire.offers.Assignment, those that stand"),
        sa.Column("options", sa.Text(), server_default="{}", nullable=False, comment="JSON of model.advertising.Options"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["collection"], ["collection.id"], name=op.f("fk_advertisement_collection_collection")),
        sa.ForeignKeyConstraint(["package"], ["package.id"], name=op.f("fk_advertisement_package_package")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advertisement")),
    )
    op.create_index(op.f("ix_advertisement_collection"), "advertisement", ["collection"], unique=False)
    op.create_index(op.f("ix_advertisement_package"), "advertisement", ["package"], unique=False)
    op.create_table(
        "request",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the counter; never given twice"),
        sa.Column("kind", sa.String(length=12), nullable=False, comment="cancel, stop, run-again"),
        sa.Column("advertisement", sa.String(length=8), nullable=False),
        sa.Column(
            "clients", sa.Text(), nullable=True, comment="JSON: ids of those that it is for; null: all members of the collection"
        ),
        sa.Column("only_failed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "closed_at", sa.BigInteger(), nullable=True, comment="since when clients are not told of it any more; null: they are"
        ),
        sa.ForeignKeyConstraint(["advertisement"], ["advertisement.id"], name=op.f("fk_request_advertisement_advertisement")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_request")),
    )
    op.create_index(op.f("ix_request_advertisement"), "request", ["advertisement"], unique=False)
    op.create_index(op.f("ix_request_closed_at"), "request", ["closed_at"], unique=False)
    op.create_table(
        "request_answer",
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False, comment="done, too-late, refused"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="by the client's clock"),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False, comment="sequence * 1000 + position of the message that said so"),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_request_answer_client_client")),
        sa.ForeignKeyConstraint(["request"], ["request.number"], name=op.f("fk_request_answer_request_request")),
        sa.PrimaryKeyConstraint("request", "client", name=op.f("pk_request_answer")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "collection_rule",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("collection", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="direct, include, exclude (query comes later)"),
        sa.Column("client", sa.BigInteger(), nullable=True),
        sa.Column("other", sa.String(length=8), nullable=True, comment="the collection that is included or excluded"),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_collection_rule_client_client")),
        sa.ForeignKeyConstraint(["collection"], ["collection.id"], name=op.f("fk_collection_rule_collection_collection")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_rule")),
    )
    op.create_index(op.f("ix_collection_rule_client"), "collection_rule", ["client"], unique=False)
    op.create_index(op.f("ix_collection_rule_other"), "collection_rule", ["other"], unique=False)
    op.create_index("ix_collection_rule_place", "collection_rule", ["collection", "client"], unique=False)
    op.create_table(
        "content_copy",
        sa.Column("point", sa.String(length=32), nullable=False, comment="id of the distribution point"),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column(
            "state",
            sa.String(length=10),
            nullable=False,
            comment="waiting (not there yet), verified (named), unnamed (to be removed)",
        ),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="of the state; of a waiting one, when it was last tried"),
        sa.Column("checked_at", sa.BigInteger(), nullable=True, comment="when its bytes were last read there and found right"),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False, comment="tries in a row that failed"),
        sa.Column("problem", sa.Text(), server_default="", nullable=False, comment="why the last try failed"),
        sa.ForeignKeyConstraint(["manifest"], ["manifest.sha256"], name=op.f("fk_content_copy_manifest_manifest")),
        sa.PrimaryKeyConstraint("point", "manifest", name=op.f("pk_content_copy")),
    )
    op.create_table(
        "holder",
        sa.Column("package", sa.String(length=8), nullable=False),
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True, comment="when it said that the removal is done"),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True, comment="when it said that it has forgotten the package"),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_holder_client_client")),
        sa.ForeignKeyConstraint(["package"], ["package.id"], name=op.f("fk_holder_package_package")),
        sa.PrimaryKeyConstraint("package", "client", name=op.f("pk_holder")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_holder_client", "holder", ["client"], unique=False)
    op.create_table(
        "job_state",
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.Column("package", sa.String(length=8), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("advertisement", sa.String(length=8), nullable=True),
        sa.Column("occurrence", sa.String(length=320), nullable=False),
        sa.Column("source_version", sa.Integer(), nullable=False),
        sa.Column(
            "cause",
            sa.String(length=32),
            nullable=True,
            comment="what it waits for, as its agent says (wire.causes); null: for nothing, or not said",
        ),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column(
            "user",
            sa.String(length=256),
            server_default="",
            nullable=False,
            comment="in whose session it happened; empty: in none",
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("order", sa.BigInteger(), nullable=False, comment="sequence * 1000 + position of the message that said so"),
        sa.Column("succeeded_version", sa.Integer(), nullable=True, comment="the newest source version that ever succeeded here"),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_job_state_client_client")),
        sa.PrimaryKeyConstraint("client", "package", "program", name=op.f("pk_job_state")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_state_package", "job_state", ["package", "program", "state"], unique=False)
    op.create_table(
        "manifest_file",
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["manifest"], ["manifest.sha256"], name=op.f("fk_manifest_file_manifest_manifest")),
        sa.PrimaryKeyConstraint("manifest", "sha256", name=op.f("pk_manifest_file")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_manifest_file_sha256", "manifest_file", ["sha256"], unique=False)
    op.create_table(
        "member",
        sa.Column("collection", sa.String(length=8), nullable=False),
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_member_client_client")),
        sa.ForeignKeyConstraint(["collection"], ["collection.id"], name=op.f("fk_member_collection_collection")),
        sa.PrimaryKeyConstraint("collection", "client", name=op.f("pk_member")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_member_client", "member", ["client"], unique=False)
    op.create_table(
        "maintenance_window",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the counter; never given twice"),
        sa.Column("collection", sa.String(length=8), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False, comment="JSON of wire.offers.Window"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["collection"], ["collection.id"], name=op.f("fk_maintenance_window_collection_collection")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_maintenance_window")),
    )
    op.create_index(op.f("ix_maintenance_window_collection"), "maintenance_window", ["collection"], unique=False)
    op.create_table(
        "offered_before",
        sa.Column("package", sa.String(length=8), nullable=False),
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_offered_before_client_client")),
        sa.ForeignKeyConstraint(["package"], ["package.id"], name=op.f("fk_offered_before_package_package")),
        sa.PrimaryKeyConstraint("package", "client", name=op.f("pk_offered_before")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "program",
        sa.Column("package", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False, comment="JSON of wire.package_info.Program"),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["package"], ["package.id"], name=op.f("fk_program_package_package")),
        sa.PrimaryKeyConstraint("package", "number", name=op.f("pk_program")),
    )
    op.create_table(
        "source_version",
        sa.Column("package", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=True),
        sa.Column("taken_in_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["package"], ["package.id"], name=op.f("fk_source_version_package_package")),
        sa.PrimaryKeyConstraint("package", "number", name=op.f("pk_source_version")),
    )
    op.create_index(op.f("ix_source_version_manifest"), "source_version", ["manifest"], unique=False)
    op.create_table(
        "status_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("client", sa.BigInteger(), nullable=True, comment="who told it; null: the site itself, of a point"),
        sa.Column("point", sa.String(length=32), nullable=True, comment="id of the point that it is about; null: of none"),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="of the client's item; 0: the site itself told it"),
        sa.Column("position", sa.Integer(), nullable=False, comment="within the item"),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="by the clock of whoever told it"),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=12), nullable=False),
        sa.Column("package", sa.String(length=8), nullable=True),
        sa.Column("program", sa.Integer(), nullable=True),
        sa.Column("advertisement", sa.String(length=8), nullable=True),
        sa.Column("occurrence", sa.String(length=320), nullable=False),
        sa.Column("source_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column(
            "cause",
            sa.String(length=32),
            nullable=True,
            comment="what the job waits for, as its agent says (wire.causes); null: for nothing, or not said",
        ),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column(
            "user",
            sa.String(length=256),
            server_default="",
            nullable=False,
            comment="in whose session it happened; empty: in none",
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_status_message_client_client")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_message")),
    )
    op.create_index(op.f("ix_status_message_arrived_at"), "status_message", ["arrived_at"], unique=False)
    op.create_index("ix_status_message_package", "status_message", ["package", "id"], unique=False)
    op.create_index(
        "ix_status_message_point",
        "status_message",
        ["point", "id"],
        unique=False,
        sqlite_where=sa.column("point").is_not(None),
        postgresql_where=sa.column("point").is_not(None),
    )
    op.create_index("uq_status_message_place", "status_message", ["client", "sequence", "position"], unique=True)
    op.create_table(
        "upward_item",
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column(
            "first_digest", sa.String(length=64), server_default="", nullable=False, comment="under which it was told before"
        ),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_upward_item_client_client")),
        sa.PrimaryKeyConstraint("client", "sequence", name=op.f("pk_upward_item")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point",
        sa.Column("id", sa.String(length=32), nullable=False, comment="cap1, dp2 …; never given twice"),
        sa.Column("kind", sa.String(length=3), nullable=False, comment="cap, dp"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="active, draining, emptying, removed"),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("is_home", sa.Boolean(), nullable=False, comment="the folder in the site's own hand, which no push fills"),
        sa.Column("said", sa.Text(), nullable=False, comment="JSON of site_server.model.points.PointSaid; never a secret"),
        sa.Column(
            "revision", sa.Integer(), nullable=False, comment="raised by each change of what is said: shelves are opened anew"
        ),
        sa.Column(
            "is_claimed",
            sa.Boolean(),
            nullable=False,
            comment="whether the site's mark lies there, so that it must go on lying there",
        ),
        sa.Column(
            "publication", sa.BigInteger(), nullable=False, comment="version of the timestamp that it was brought to; 0: of none"
        ),
        sa.Column("generation", sa.Integer(), nullable=False, comment="of shards that its settings name"),
        sa.Column("generation_since", sa.BigInteger(), nullable=True),
        sa.Column(
            "filled_at",
            sa.BigInteger(),
            nullable=True,
            comment="when a CAP elsewhere was first seen to hold a whole publication; null: never",
        ),
        sa.Column("quiet_since", sa.BigInteger(), nullable=True, comment="since when no item came; null: it was never looked"),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=True, comment="the last turn that went well, to the minute"),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False, comment="turns in a row that failed"),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column(
            "told",
            sa.Integer(),
            nullable=True,
            comment="number of the status message that told last how it stands; null: none yet in its state",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_point")),
    )
    op.create_table(
        "point_asked",
        sa.Column("client", sa.BigInteger(), nullable=False),
        sa.Column(
            "point", sa.String(length=32), nullable=False, comment="its id; empty: all addresses that settings do not name"
        ),
        sa.Column(
            "absent_requests", sa.BigInteger(), nullable=False, comment="how many of its requests there were for absent files"
        ),
        sa.ForeignKeyConstraint(["client"], ["client.number"], name=op.f("fk_point_asked_client_client")),
        sa.PrimaryKeyConstraint("client", "point", name=op.f("pk_point_asked")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_point_asked_point", "point_asked", ["point", "absent_requests"], unique=False)
    op.create_table(
        "point_file",
        sa.Column("point", sa.String(length=32), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="of a mutable file; 0 for others; -1: found there"),
        sa.Column("leaving_since", sa.BigInteger(), nullable=True, comment="since when nothing that the point serves names it"),
        sa.ForeignKeyConstraint(["point"], ["point.id"], name=op.f("fk_point_file_point_point")),
        sa.PrimaryKeyConstraint("point", "path", name=op.f("pk_point_file")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_point_file_leaving", "point_file", ["point", "leaving_since"], unique=False)
    op.create_table(
        "point_shard",
        sa.Column("point", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("publication", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["point"], ["point.id"], name=op.f("fk_point_shard_point_point")),
        sa.PrimaryKeyConstraint("point", "generation", "number", name=op.f("pk_point_shard")),
        sqlite_with_rowid=False,
    )
