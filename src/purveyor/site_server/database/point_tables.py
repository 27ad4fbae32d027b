"""The tables of points, and of what lies on those that the site pushes to; part of `schema`, where they are looked for."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from purveyor.site_server.database.columns import UtcTime, metadata

point = Table(
    "point",
    metadata,
    Column("id", String(32), primary_key=True, comment="cap1, dp2 …; never given twice"),
    Column("kind", String(3), nullable=False, comment="cap, dp"),
    Column("state", String(10), nullable=False, comment="active, draining, emptying, removed"),
    Column("state_since", UtcTime, nullable=False),
    Column("is_home", Boolean, nullable=False, comment="the folder in the site's own hand, which no push fills"),
    Column("said", Text, nullable=False, comment="JSON of site_server.model.points.PointSaid; never a secret"),
    Column("revision", Integer, nullable=False, comment="raised by each change of what is said: shelves are opened anew"),
    Column(
        "is_claimed", Boolean, nullable=False, comment="whether the site's mark lies there, so that it must go on lying there"
    ),
    Column("publication", BigInteger, nullable=False, comment="version of the timestamp that it was brought to; 0: of none"),
    Column("generation", Integer, nullable=False, comment="of shards that its settings name"),
    Column("generation_since", UtcTime),
    Column("filled_at", UtcTime, comment="when a CAP elsewhere was first seen to hold a whole publication; null: never"),
    Column("quiet_since", UtcTime, comment="since when no item came; null: it was never looked"),
    Column("succeeded_at", UtcTime, comment="the last turn that went well, to the minute"),
    Column("tried_at", UtcTime),
    Column("failures", Integer, nullable=False, comment="turns in a row that failed"),
    Column("problem", Text, nullable=False),
    Column("told", Integer, comment="number of the status message that told last how it stands; null: none yet in its state"),
)

point_asked = Table(
    "point_asked",
    metadata,
    Column("client", BigInteger, ForeignKey("client.number"), primary_key=True),
    Column("point", String(32), primary_key=True, comment="its id; empty: all addresses that settings do not name"),
    Column("absent_requests", BigInteger, nullable=False, comment="how many of its requests there were for absent files"),
    Index("ix_point_asked_point", "point", "absent_requests"),
    sqlite_with_rowid=False,
)

point_file = Table(
    "point_file",
    metadata,
    Column("point", String(32), ForeignKey("point.id"), primary_key=True),
    Column("path", String(200), primary_key=True),
    Column("revision", BigInteger, nullable=False, comment="of a mutable file; 0 for others; -1: found there"),
    Column("leaving_since", UtcTime, comment="since when nothing that the point serves names it"),
    Index("ix_point_file_leaving", "point", "leaving_since"),
    sqlite_with_rowid=False,
)

point_shard = Table(
    "point_shard",
    metadata,
    Column("point", String(32), ForeignKey("point.id"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("publication", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
