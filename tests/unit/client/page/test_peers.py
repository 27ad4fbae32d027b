"""Who is at the other end: read from the kernel's table of connections, and from nothing else."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.page.peers import End, Opener, opener_in, table_end

THEIRS, OURS = End("127.0.0.1", 40_000), End("127.0.0.1", 8475)
MAPPED = "0000000000000000FFFF0000"
HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, remote: str, *, state: str = "01", uid: str = "1000", inode: str = "31337") -> str:
    """A row as the kernel writes it."""
    queues = "00000000:00000000 00:00000000 00000000"
    return f"   3: {local} {remote} {state} {queues}  {uid:>4}        0 {inode} 1 0000000000000000 20 4 30 10 -1\n"


def own(**changes: str) -> str:
    return row(table_end(THEIRS), table_end(OURS), **changes)


def test_an_end_is_written_as_the_kernel_writes_it() -> None:
    address = {"little": "0100007F", "big": "7F000001"}[sys.byteorder]
    assert table_end(End("127.0.0.1", 8080)) == f"{address}:1F90"


def test_the_user_of_the_other_end_is_found() -> None:
    server_side = row(table_end(OURS), table_end(THEIRS), uid="0", inode="999")
    assert opener_in([HEADING, server_side, own()], THEIRS, OURS) == Opener(1000, "31337")


def test_a_connection_to_another_port_is_another_connection() -> None:
    other = row(table_end(THEIRS), table_end(End("127.0.0.1", 8476)))
    assert opener_in([HEADING, other], THEIRS, OURS) is None


@pytest.mark.parametrize("state", ["02", "03", "04", "05", "06", "07", "08", "09", "0A", "0B"])
def test_a_connection_that_was_closed_says_nothing_since_its_row_would_name_root(state: str) -> None:
    assert opener_in([own(state=state, uid="0")], THEIRS, OURS) is None


def test_a_socket_that_nobody_holds_any_more_is_nobodys() -> None:
    assert opener_in([own(uid="0", inode="0")], THEIRS, OURS) is None


def test_an_address_of_version_6_that_means_one_of_version_4_is_found_in_its_own_table() -> None:
    mapped = row(MAPPED + table_end(THEIRS), MAPPED + table_end(OURS), uid="1001")
    assert opener_in([mapped], THEIRS, OURS) is None
    assert opener_in([mapped], THEIRS, OURS, prefix=MAPPED) == Opener(1001, "31337")


@given(st.lists(st.text(max_size=200), max_size=20))
def test_a_table_that_cannot_be_read_names_nobody(rows: list[str]) -> None:
    assert opener_in(rows, THEIRS, OURS) is None


@pytest.mark.parametrize("uid", ["-1", "x", "0x3e8", "\uff11"])
def test_a_user_who_is_no_number_is_nobody(uid: str) -> None:
    assert opener_in([own(uid=uid)], THEIRS, OURS) is None
