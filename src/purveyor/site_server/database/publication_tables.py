"""The tables of what is published; part of `schema`, which is where they are looked for."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, column

from purveyor.site_server.database.columns import UtcTime, metadata

wanted = Table(
    "wanted",
    metadata,
    Column("kind", String(12), primary_key=True, comment="package, offers, settings"),
    Column("key", String(16), primary_key=True),
    Column("wanted", BigInteger, nullable=False, comment="raised with every change, in its transaction"),
    Column("published", BigInteger, nullable=False),
)

role = Table(
    "role",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="the signed bytes as published"),
    Column("expires_at", UtcTime, nullable=False, index=True),
)

down_file = Table(
    "down_file",
    metadata,
    Column("path", String(200), primary_key=True),
    Column("content", LargeBinary, nullable=False, comment="the signed bytes as published: a damaged box is rebuilt from them"),
    Column("written_at", UtcTime, comment="null: not yet seen in the box"),
    Column("unnamed_since", UtcTime, index=True, comment="since when no published metadata names it"),
    Index(
        "ix_down_file_unwritten",
        "path",
        sqlite_where=column("written_at").is_(None),
        postgresql_where=column("written_at").is_(None),
    ),
)

shard_generation = Table(
    "shard_generation",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("bits", Integer, nullable=False, comment="two to this power shards"),
    Column("announced_at", UtcTime, comment="null: being built; the highest announced one stands in the settings"),
    Column("superseded_at", UtcTime),
    Column(
        "lookup_key", String(16), nullable=False, server_default="", comment="id of the key that signs it; empty: the current one"
    ),
)

shard = Table(
    "shard",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary),
    Column("publication", BigInteger, nullable=False),
    Column("expires_at", UtcTime, index=True),
    Column("is_wanted", Boolean, nullable=False),
    Column("is_written", Boolean, nullable=False),
    Index(
        "ix_shard_wanted",
        "is_wanted",
        "generation",
        "number",
        sqlite_where=column("is_wanted").is_(True),
        postgresql_where=column("is_wanted").is_(True),
    ),
    Index(
        "ix_shard_unwritten",
        "generation",
        "number",
        sqlite_where=column("is_written").is_(False),
        postgresql_where=column("is_written").is_(False),
    ),
    sqlite_with_rowid=False,
)
