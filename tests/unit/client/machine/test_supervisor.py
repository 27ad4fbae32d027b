"""The parts of the supervisor that need no process."""

from hypothesis import given
from hypothesis import strategies as st

from purveyor.client.machine.supervisor import HEAD_BYTES, TAIL_BYTES, Output


@given(st.lists(st.binary(max_size=200), max_size=50))
def test_little_output_is_kept_whole(pieces: list[bytes]) -> None:
    output = Output()
    for piece in pieces:
        output.add(piece)
    assert output.kept() == b"".join(pieces)


@given(st.integers(1, 5000), st.integers(20, 300))
def test_of_much_output_the_first_and_the_last_part_are_kept_and_the_rest_is_counted(size: int, count: int) -> None:
    output, whole = Output(), b"".join(bytes([number % 251]) * size for number in range(count))
    for start in range(0, len(whole), size):
        output.add(whole[start : start + size])
    kept = output.kept()
    assert len(kept) <= HEAD_BYTES + TAIL_BYTES + 100
    assert kept.startswith(whole[:HEAD_BYTES])
    assert kept.endswith(whole[HEAD_BYTES:][-TAIL_BYTES:])
    dropped = len(whole) - HEAD_BYTES - TAIL_BYTES
    assert (f"{dropped} bytes are not kept".encode() in kept) == (dropped > 0)


def test_what_is_held_in_memory_is_bounded() -> None:
    output = Output()
    for _ in range(10_000):
        output.add(b"x" * 1000)
    assert sum(len(piece) for piece in output._tail) < TAIL_BYTES + 1000
