"""Who speaks with one identity: what proves that several machines do, and what does not."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from purveyor.site_server.model.clones import REMEMBERED_VOICES, Voice, keeper_of, said_by, speaker_of, with_voice
from purveyor.wire.shards import NOBODY
from purveyor.wire.starts import Start

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


def voices_of(heard: str) -> tuple[Voice, ...]:
    """Voices from `a1 b1 a1`: machine a in its start 1, then b, then a again; each an hour after the one before."""
    found: tuple[Voice, ...] = ()
    for hour, (machine, boot) in enumerate(heard.split()):
        found = with_voice(found, Voice(machine=machine, boot=boot, since=NOW + timedelta(hours=hour)))
    return found


@pytest.mark.parametrize(
    ("heard", "owner", "forked_by", "keeper"),
    [
        ("", "a", "", None),
        ("a1 a1 a1", "a", "", None),
        ("a1 a2 a3 a4 a5 a6", "a", "", None),  # a machine that is started again and again, or goes back every night
        ("a1 b1 b2", "a", "", None),  # the original is off for good, or has another machine id now
        ("a1 b1 a1", "a", "", "a"),
        ("b1 b2 b3 b4 b5 a1", "a", "", "a"),  # the owner's last word is forgotten, but it joined
        ("b1 a1", "a", "", "a"),
        ("b1 c1", "a", "", None),
        ("b1 c1 b1", "a", "", "a"),  # two copies of a machine that never spoke again
        ("a1", "a", "b", "a"),  # a fork
        ("a1", "a", "a", None),  # a machine that went back gives its own numbers again
        ("a1 b1", "a", "b", "a"),
        ("a1", "", "b", NOBODY),  # nobody knows which of them joined
        ("a1 a2 a1", "a", "", None),  # a snapshot with its memory was taken back once
        ("a1 a2 a1 a2", "a", "", NOBODY),
        ("a1 a2 a3 a1 a2 a3", "a", "", None),
    ],
)
def test_what_is_proved_of_who_speaks(heard: str, owner: str, forked_by: str, keeper: str | None) -> None:
    assert keeper_of(voices_of(heard), owner=owner, forked_by=set(forked_by)) == keeper


def test_an_item_that_was_only_late_is_no_turn_whatever_its_clock_says() -> None:
    """A machine that is started again while an item of its last start is still on its way."""
    turns = [Voice(machine="a", boot=boot, since=NOW + timedelta(hours=hour)) for hour, boot in enumerate("121212")]
    late = [msgspec.structs.replace(voice, first=first) for voice, first in zip(turns, (10, 12, 11, 14, 11, 15), strict=True)]
    voices: tuple[Voice, ...] = ()
    for voice in late:
        voices = with_voice(voices, voice)
    assert [voice.first for voice in voices] == [10, 12]
    assert keeper_of(voices, owner="a") is None


def test_what_the_last_two_said_of_themselves_is_kept_for_whoever_shares_their_identity() -> None:
    voices: tuple[Voice, ...] = ()
    for hour, boot in enumerate("12121"):
        said = Start(boot=boot, sequence=hour + 1, signature=b"s" * 64)
        voices = with_voice(voices, Voice(machine="a", boot=boot, since=NOW + timedelta(hours=hour), said=said))
    assert [(start.boot, start.sequence) for start in said_by(voices)] == [("2", 4), ("1", 5)]


@pytest.mark.parametrize(
    ("began", "number", "machine"),
    [
        ("", 3, ""),
        ("a1 b5 a9", 9, "a"),
        ("a1 b5 a9", 8, "b"),
        ("a1 b5 a9", 4, "a"),
        ("b5 a9", 2, "b"),  # who spoke before is forgotten
    ],
)
def test_a_number_is_of_the_machine_that_spoke_then(began: str, number: int, machine: str) -> None:
    voices = [Voice(machine=one[0], boot="1", since=NOW, first=int(one[1:])) for one in began.split()]
    assert speaker_of(voices, number) == machine


def test_an_item_that_was_late_is_no_voice_that_came_back() -> None:
    heard = voices_of("a1 a2")
    late = Voice(machine="a", boot="1", since=NOW + timedelta(minutes=5))
    assert with_voice(heard, late) == heard


def test_agents_that_do_not_say_who_they_are_are_no_voice() -> None:
    assert with_voice((), Voice(machine="", boot="1", since=NOW)) == ()


def test_no_more_voices_are_remembered_than_a_proof_needs() -> None:
    assert len(voices_of("a1 a2 a3 a4 a5 a6 a7")) == REMEMBERED_VOICES
