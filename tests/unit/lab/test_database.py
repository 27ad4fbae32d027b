"""The site's database under the lab's power."""

import pytest
from sqlalchemy import text

from purveyor.lab.database import LabDatabase, give_back, lend
from purveyor.lab.power import Power, PowerCut
from purveyor.site_server.database.engine import Database, open_database, revision_of
from purveyor.wire.errors import UnavailableError


def test_a_power_cut_before_a_commit_leaves_the_database_as_it_was() -> None:
    power = Power()
    database = LabDatabase(open_database("sqlite://"), power)
    with database.write() as tx:
        tx.execute(text("create table kept (value integer)"))
    power.fail_at(1)
    with pytest.raises(PowerCut), database.write() as tx:
        tx.execute(text("insert into kept values (1)"))
    power.restore()
    with database.write() as tx:
        tx.execute(text("insert into kept values (2)"))
    with database.read() as tx:
        assert tx.execute(text("select value from kept")).scalars().all() == [2]
    database.dispose()


def test_reading_is_no_effect() -> None:
    power = Power()
    database = LabDatabase(open_database("sqlite://"), power)
    power.fail_at(1)
    with database.read() as tx:
        assert tx.execute(text("select 1")).scalar_one() == 1
    assert power.effect_count == 0
    database.dispose()


def test_a_database_that_is_busy_fails_so_many_transactions_and_goes_on() -> None:
    database = LabDatabase(open_database("sqlite://"), Power())
    with database.write() as tx:
        tx.execute(text("create table kept (value integer)"))
    database.fail(2, times=2)
    with database.write() as tx:
        tx.execute(text("insert into kept values (1)"))
    with pytest.raises(UnavailableError, match="busy"), database.write() as tx:
        tx.execute(text("insert into kept values (2)"))
    with pytest.raises(UnavailableError, match="busy"), database.read():
        pass
    with database.read() as tx:
        assert tx.execute(text("select value from kept")).scalars().all() == [1]
    database.dispose()


def test_a_full_database_is_read_and_takes_nothing() -> None:
    database = LabDatabase(open_database("sqlite://"), Power())
    with database.write() as tx:
        tx.execute(text("create table kept (value integer)"))
    database.is_full = True
    with pytest.raises(UnavailableError, match="full"), database.write() as tx:
        tx.execute(text("insert into kept values (1)"))
    with database.read() as tx:
        assert tx.execute(text("select value from kept")).scalars().all() == []
    database.dispose()


def test_the_tables_of_a_lab_are_those_that_the_migrations_make_and_stay_when_migrated_again() -> None:
    lent, migrated = lend(), open_database("sqlite://")
    migrated.migrate()
    database = LabDatabase(lent, Power())
    for _ in range(2):
        database.migrate()
        assert tables_of(database) == tables_of(migrated)
        assert revision_in(database) == revision_in(migrated) != ""
    migrated.dispose()
    give_back(lent)


def test_a_database_that_is_lent_again_is_empty() -> None:
    lent = lend()
    LabDatabase(lent, Power()).migrate()
    give_back(lent)
    again = lend()
    assert again is lent, "what was compiled for it serves again"
    assert tables_of(again) == []
    give_back(again)


def tables_of(database: Database) -> list[str]:
    """What makes the tables and indexes of a database, in order of name."""
    with database.read() as tx:
        made = tx.execute(text("select coalesce(sql, name) from sqlite_master order by name"))
        return list(made.scalars())


def revision_in(database: Database) -> str:
    """Which tables these are."""
    with database.read() as tx:
        return revision_of(tx)
