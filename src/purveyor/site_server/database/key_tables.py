"""The tables of keys, and of what is signed away from the server; part of `schema`, which is where they are looked for."""

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, Text

from purveyor.site_server.database.columns import UtcTime, metadata

site_key = Table(
    "site_key",
    metadata,
    Column("role", String(16), primary_key=True),
    Column("id", String(16), primary_key=True),
    Column("public", String(64), nullable=False, comment="raw public half, in hexadecimal"),
    Column("state", String(10), nullable=False, comment="next, current, former (still used for a time), retired"),
    Column("since", UtcTime, nullable=False, comment="since when it is in this state"),
    Column("is_here", Boolean, nullable=False, comment="whether its private half was here when last looked"),
)

signing_request = Table(
    "signing_request",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="of the counter; never given twice"),
    Column("state", String(10), nullable=False, index=True, comment="open, signed, published, dropped"),
    Column("content", LargeBinary, nullable=False, comment="the request as it was exported"),
    Column("wants", Text, nullable=False, comment="JSON: kind, key and revision of what it publishes"),
    Column("signatures", Text, nullable=False, comment="JSON: by role and public key, those that came so far"),
    Column("made_at", UtcTime, nullable=False),
    Column("made_by", String(100), nullable=False),
    Column("closed_at", UtcTime),
)
