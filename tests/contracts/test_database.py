"""What every database of a site promises, SQLite and PostgreSQL alike."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Executable, create_engine, insert, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from purveyor.site_server.database import counters, schema, settings, statements
from purveyor.site_server.database.engine import Database, open_database
from purveyor.wire.errors import RefusedError, RejectedError, UnavailableError
from site_rows import NOW, add_clients, add_site


def test_migrating_an_empty_database_gives_the_tables_of_the_schema(database: Database) -> None:
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": not database.is_sqlite})
        assert compare_metadata(context, schema.metadata) == []


def test_the_migrated_tables_of_sqlite_say_the_same_as_those_of_the_schema(migrated_sqlite: Path) -> None:
    def words(sql: str | None) -> list[str]:
        return sorted((sql or "").replace(",", " ").split())

    query = text("select name, sql from sqlite_master where name not like 'alembic%' and name not like 'sqlite_%'")
    made = create_engine("sqlite://")
    with made.connect() as connection:
        schema.metadata.create_all(connection)
        expected = {name: words(sql) for name, sql in connection.execute(query)}
    made.dispose()
    with open_database(f"sqlite:///{migrated_sqlite}") as database, database.read() as tx:
        assert {name: words(sql) for name, sql in tx.execute(query)} == expected


def test_migrating_twice_changes_nothing(database: Database) -> None:
    with database.write() as tx:
        add_site(tx)
    database.migrate()
    with database.read() as tx:
        assert tx.execute(select(schema.site.c.code)).scalar_one() == "S01"


def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(RefusedError, match="another release"):
        database.migrate()


def test_times_come_back_as_they_were_to_the_microsecond(database: Database) -> None:
    time = NOW.replace(microsecond=123_457)
    with database.write() as tx:
        tx.execute(insert(schema.audit).values(at=time, actor="", action="", object="", detail=""))
    with database.read() as tx:
        assert tx.execute(select(schema.audit.c.at)).scalar_one() == time


def test_an_error_takes_back_the_whole_transaction(database: Database) -> None:
    with database.write() as tx:
        add_site(tx)
    with pytest.raises(RuntimeError):
        _fail_after(database, lambda tx: add_clients(tx, 3))
    with database.read() as tx:
        assert tx.execute(select(schema.client)).all() == []


def test_a_row_that_refers_to_nothing_is_an_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.execute(insert(schema.member).values(collection="S0110001", client=1))


def test_writers_of_many_threads_take_turns(database: Database) -> None:
    def count_up() -> None:
        for _ in range(25):
            with database.write() as tx:
                given.append(counters.next_number(tx, "package"))

    given: list[int] = []
    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(given) == list(range(1, 101))


def test_writers_of_two_processes_take_turns(postgresql_url: str, tmp_path: Path) -> None:
    for url in (postgresql_url, f"sqlite:///{tmp_path / 'two.db'}"):
        with open_database(url) as one, open_database(url) as other:
            one.migrate()
            order: list[str] = []
            has_begun = threading.Event()

            def wait_and_write(other: Database = other, order: list[str] = order, has_begun: threading.Event = has_begun) -> None:
                has_begun.wait(30)
                with other.write() as tx:
                    order.append(f"second, sees {counters.next_number(tx, 'package') - 1}")

            thread = threading.Thread(target=wait_and_write)
            thread.start()
            with one.write() as tx:
                has_begun.set()
                counters.raise_to(tx, "package", 7)
                order.append("first")
            thread.join(60)
            assert order == ["first", "second, sees 7"]


def test_reading_sees_one_moment_while_others_write(postgresql_url: str, tmp_path: Path) -> None:
    for url in (postgresql_url, f"sqlite:///{tmp_path / 'moment.db'}"):
        with open_database(url) as database:
            database.migrate()
            with database.write() as tx:
                counters.raise_to(tx, "package", 1)
            with database.read() as reading:
                assert counters.highest_number(reading, "package") == 1
                with database.write() as tx:
                    counters.raise_to(tx, "package", 2)
                assert counters.highest_number(reading, "package") == 1
            with database.read() as reading:
                assert counters.highest_number(reading, "package") == 2


def test_a_counter_never_goes_back(database: Database) -> None:
    with database.write() as tx:
        assert [counters.next_number(tx, "collection") for _ in range(3)] == [1, 2, 3]
        counters.raise_to(tx, "collection", 10_000)
        counters.raise_to(tx, "collection", 5)
        assert counters.next_number(tx, "collection") == 10_001
        assert counters.next_number(tx, "package") == 1
        assert counters.highest_number(tx, "advertisement") == 0


def test_a_number_given_in_a_transaction_that_failed_was_not_given(database: Database) -> None:
    with pytest.raises(RuntimeError):
        _fail_after(database, lambda tx: counters.next_number(tx, "package"))
    with database.write() as tx:
        assert counters.next_number(tx, "package") == 1


def test_only_settings_that_differ_are_stored(database: Database) -> None:
    with database.write() as tx:
        assert settings.read_settings(tx).poll_interval_seconds == 3600
        settings.change_setting(tx, "poll_interval_seconds", 60)
        settings.change_setting(tx, "poll_interval_seconds", 90)
        tx.execute(insert(schema.setting).values(name="of_a_later_release", value='"x"'))
    with database.read() as tx:
        assert settings.read_settings(tx).poll_interval_seconds == 90
        assert settings.read_settings(tx).confirm_above == 100


def test_a_full_disk_is_something_to_wait_for_and_changes_nothing(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'small.db'}") as database:
        database.migrate()
        with database.read() as tx:
            pages = tx.execute(text("pragma page_count")).scalar_one()

        def outgrow(tx: Connection) -> None:
            tx.execute(text(f"pragma max_page_count = {pages + 2}"))
            add_site(tx)
            add_clients(tx, 1000)

        with pytest.raises(UnavailableError, match="full"):
            _fail_after(database, outgrow)
        with database.read() as tx:
            assert tx.execute(select(schema.site)).all() == []


def test_a_folder_that_is_not_there_is_something_to_wait_for(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'absent' / 'site.db'}") as database, pytest.raises(UnavailableError):
        database.migrate()


def test_a_server_that_does_not_answer_is_something_to_wait_for() -> None:
    with (
        open_database("postgresql://nobody@127.0.0.1:1/none") as database,
        pytest.raises(UnavailableError) as caught,
        database.read(),
    ):
        pass
    assert "the database cannot be used now" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("25006", "cannot be used now"),
        ("28P01", "cannot be used now"),
        ("40P01", "cannot be used now"),
        ("42501", "cannot be used now"),
        ("55P03", "cannot be used now"),
        ("XX001", "is damaged"),
    ],
    ids=["a standby", "another password", "a deadlock", "rights taken", "a lock", "damage"],
)
def test_what_no_value_is_to_blame_for_is_something_to_wait_for(postgresql_url: str, code: str, words: str) -> None:
    """Else an item that came at that moment would be taken for the culprit, and set aside."""
    with open_database(postgresql_url) as database, pytest.raises(UnavailableError, match=words), database.write() as tx:
        tx.execute(text(f"do $$ begin raise 'so it is' using errcode = '{code}'; end $$"))


def test_a_damaged_file_is_said_to_be_damaged_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "site.db"
    file.write_bytes(b"no database at all" * 1000)
    with open_database(f"sqlite:///{file}") as database, pytest.raises(UnavailableError, match="is damaged"):
        database.migrate()
    assert file.read_bytes() == b"no database at all" * 1000


@pytest.mark.parametrize("url", ["mysql://host/site", "no url", "oracle://x"])
def test_other_databases_are_refused_before_anything_is_opened(url: str) -> None:
    with pytest.raises(RefusedError, match="database"):
        open_database(url)


def test_a_wrong_statement_is_a_bug_and_no_reason_to_wait(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_table") as caught, database.read() as tx:
        tx.execute(text("select * from no_such_table"))
    assert not isinstance(caught.value, UnavailableError)


def _fail_after(database: Database, change: Callable[[Connection], object]) -> None:
    with database.write() as tx:
        change(tx)
        raise RuntimeError


def test_a_text_with_a_nul_in_it_is_a_bad_name_and_no_fault_of_the_site(database: Database) -> None:
    expected = contextlib.nullcontext() if database.is_sqlite else pytest.raises(RejectedError, match="character 0")
    with expected, database.read() as tx:
        assert tx.execute(select(schema.audit.c.at).where(schema.audit.c.actor == "a\0b")).all() == []


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(statements.UNFINISHED, id="shards not done"),
        pytest.param(statements.WANTED_SHARDS, id="shards to make"),
        pytest.param(statements.UNWRITTEN_SHARDS, id="shards to write"),
        pytest.param(statements.EXPIRING_SHARDS, id="shards to sign anew"),
        pytest.param(statements.UNWRITTEN, id="files to write"),
        pytest.param(statements.UNNAMED_BEFORE, id="files to take away"),
    ],
)
def test_what_every_turn_asks_of_large_tables_is_answered_by_an_index(migrated_sqlite: Path, statement: Executable) -> None:
    """A site of a million clients has 65,536 shards with their content: to read them all only to find nothing to do is dear."""
    words = str(statement.compile(dialect=sqlite.dialect()))
    with open_database(f"sqlite:///{migrated_sqlite}") as database, database.read() as tx:
        plan = tx.exec_driver_sql(f"explain query plan {words}", (1,) * words.count("?")).all()
    reads = [row.detail for row in plan if row.detail.startswith(("SCAN", "SEARCH"))]
    assert reads
    assert [read for read in reads if "INDEX" not in read] == []
