"""The text of the nginx configuration; real nginx reads it in tests/real."""

import re
from dataclasses import replace

import pytest

from purveyor.client_access_point.nginx import Plan, nginx_configuration
from purveyor.wire.boxes import DOWN_BOXES, UP_BOXES
from purveyor.wire.errors import RefusedError

PLAN = Plan(cap_folder="/srv/purveyor/CAP_S01", dp_folder="/srv/purveyor/DP_S01", listen="0.0.0.0:80", server_name="cap.example")


def test_every_up_box_takes_items_up_to_its_own_limit() -> None:
    text = nginx_configuration(PLAN)
    for box in UP_BOXES:
        location = re.search(rf"location ~ \"\^/cap/{re.escape(re.escape(box.name))}/.*?\n    }}", text, re.DOTALL)
        assert location is not None, box.name
        assert f"client_max_body_size {box.item_limit_bytes};" in location[0]
        assert "dav_methods PUT;" in location[0]
    assert text.count("dav_methods") == len(UP_BOXES)


def test_every_down_box_is_shown() -> None:
    text = nginx_configuration(PLAN)
    assert all(re.escape(box.name) in text for box in DOWN_BOXES)


def test_without_a_folder_of_content_none_is_served() -> None:
    assert 'location ~ "^/dp/' in nginx_configuration(PLAN)
    assert "/dp" not in nginx_configuration(replace(PLAN, dp_folder=""))


def test_braces_and_quotes_are_balanced() -> None:
    served = "\n".join(line.partition("#")[0] for line in nginx_configuration(PLAN).splitlines())
    outside = re.sub(r'"[^"]*"', "", served)
    assert '"' not in outside
    assert outside.count("{") == outside.count("}")


@pytest.mark.parametrize(
    "folder",
    ["relative", "/srv/$host", '/srv/"x', "/srv/x;y", "/srv/{x}", "/srv/x\ny", "/srv/it's", "/srv/../etc", "/srv/x\\", "/srv/#x"],
)
def test_a_folder_that_nginx_would_read_otherwise_is_refused(folder: str) -> None:
    with pytest.raises(RefusedError):
        nginx_configuration(replace(PLAN, cap_folder=folder))
    with pytest.raises(RefusedError):
        nginx_configuration(replace(PLAN, dp_folder=folder))


@pytest.mark.parametrize(
    "change", [{"listen": "80; include /etc/passwd"}, {"server_name": "x; }"}, {"nginx_user": "www data"}, {"listen": ""}]
)
def test_no_setting_can_bring_in_directives(change: dict[str, str]) -> None:
    with pytest.raises(RefusedError):
        nginx_configuration(replace(PLAN, **change))  # type: ignore[arg-type]
