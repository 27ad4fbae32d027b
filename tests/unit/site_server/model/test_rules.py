"""Smaller rules: platforms, names, settings, confirmation, pages."""

import msgspec
import pytest

from purveyor.site_server.model.confirmation import Reach, confirm_reach
from purveyor.site_server.model.names import line_of, name_of
from purveyor.site_server.model.pages import page_size
from purveyor.site_server.model.platforms import platforms_of
from purveyor.site_server.model.settings import SiteSettings, contradiction_in, with_value
from purveyor.wire.errors import ConfirmationNeededError, RefusedError
from purveyor.wire.settings import AgentSettings


def test_platforms_are_kept_in_lower_case_and_once() -> None:
    assert platforms_of(["Linux/Debian/12", " linux/debian/12", "windows", "macos@arm64"]) == (
        "linux/debian/12",
        "windows",
        "macos@arm64",
    )


@pytest.mark.parametrize(
    "platform", ["", "beos", "linux/", "linux/debian/12/x", "linux debian", "linux@", "@x86_64", "linux/../x"]
)
def test_what_names_no_platform_is_refused(platform: str) -> None:
    with pytest.raises(RefusedError, match="no platform"):
        platforms_of([platform])


def test_too_many_platforms_are_refused() -> None:
    with pytest.raises(RefusedError, match="too many"):
        platforms_of(f"linux/x{number}" for number in range(51))


def test_a_name_loses_the_blanks_around_it_and_nothing_else() -> None:
    assert name_of('  7-Zip "x" %25 größe ', "a package", 100) == '7-Zip "x" %25 größe'
    assert line_of("", "the version", 100) == ""
    for whole in (
        "\u05e2\u05d1\u05e8\u05d9\u05ea",
        "a\u200fb",
        "\U0001f469\u200d\U0001f4bb",
    ):  # letters and marks from right to left, joined pictures
        assert name_of(whole, "a package", 100) == whole


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a\nb", "a\0b", "a\x1b[0m", "x" * 101, "a\u2028b", "a\u202eb", "\u2066a", "\ufeff", "\u200b \u200f", "\ud800"],
)
def test_what_cannot_be_shown_is_no_name(name: str) -> None:
    with pytest.raises(RefusedError):
        name_of(name, "a program", 100)


def test_defaults_contradict_nothing_and_agree_with_what_agents_take_by_themselves() -> None:
    assert contradiction_in(SiteSettings()) == ""
    shared = set(SiteSettings.__struct_fields__) & set(AgentSettings.__struct_fields__)
    agents = dict(
        zip(
            AgentSettings.__struct_fields__[-len(AgentSettings.__struct_defaults__) :],
            AgentSettings.__struct_defaults__,
            strict=True,
        )
    )
    assert shared == {
        "poll_interval_seconds",
        "heartbeat_interval_seconds",
        "retry_seconds",
        "retry_limit_seconds",
        "stale_grace_seconds",
        "cache_quota_bytes",
        "disk_reserve_bytes",
        "history_limit",
        "log_limit_bytes",
        "condition_interval_seconds",
        "prefetch_seconds",
        "slow_link_bytes_per_second",
        "bandwidth",
        "may_restart",
        "restart_countdown_seconds",
        "restart_postponements",
        "restart_postpone_seconds",
        "page_port",
    }
    assert {name: agents[name] for name in shared} == {name: msgspec.structs.asdict(SiteSettings())[name] for name in shared}


def test_a_fact_is_set_by_yes_or_no_and_a_number_by_a_number() -> None:
    assert with_value(SiteSettings(), "may_restart", value=True).may_restart
    for name, value in (("may_restart", 1), ("page_port", True), ("page_port", 80), ("page_port", 70_000)):
        with pytest.raises(RefusedError):
            with_value(SiteSettings(), name, value)
    assert with_value(SiteSettings(), "page_port", 8471).page_port == 8471
    assert with_value(SiteSettings(), "bandwidth", "sat 8-9 0; 5M").bandwidth == "sat 8-9 0; 5M"


def test_one_setting_is_changed_and_the_others_stay() -> None:
    changed = with_value(SiteSettings(), "confirm_above", 5)
    assert changed == SiteSettings(confirm_above=5)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("no_such", 1, "there is no setting"),
        ("poll_interval_seconds", 0, "cannot be 0: the least is 1$"),
        ("poll_interval_seconds", 10**12, "cannot be"),
        ("confirm_above", -1, "cannot be -1"),
        ("timestamp_rhythm_seconds", 6 * 86_400, "two of its rhythms"),
        ("timestamp_lifetime_seconds", 60 * 86_400, "outlive"),
        ("retry_seconds", 86_400, "first retry"),
        ("confirm_above", True, "whole number"),
        ("confirm_above", "5", "whole number"),
        ("bandwidth", 5, "is a budget: mon-fri 08:00-18:00 512K"),
        ("bandwidth", "mon-fry 8-18 0", "'mon-fry' is no day"),
        ("bandwidth", "1;" * 1000, "cannot be"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(name: str, value: int | str, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        with_value(SiteSettings(), name, value)


def test_what_reaches_far_wants_confirming_and_says_how_far() -> None:
    confirm_reach("it", Reach(100), confirm_above=100, is_confirmed=False)
    with pytest.raises(ConfirmationNeededError, match="reaches 101 clients"):
        confirm_reach("it", Reach(101), confirm_above=100, is_confirmed=False)
    with pytest.raises(ConfirmationNeededError, match="All Systems, 1 client now"):
        confirm_reach("it", Reach(1, is_all_systems=True), confirm_above=100, is_confirmed=False)
    confirm_reach("it", Reach(10**6, is_all_systems=True), confirm_above=100, is_confirmed=True)


def test_pages_have_bounds() -> None:
    assert page_size(1000) == 1000
    for limit in (0, -1, 1001):
        with pytest.raises(RefusedError):
            page_size(limit)
