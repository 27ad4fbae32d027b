"""Of what kind a failure at a point is, from what folders and shares raise."""

import errno

import pytest

from purveyor.site_server.model.points import trouble_of
from purveyor.transport.folder.confined import unavailable
from purveyor.wire.errors import ForeignError, PurveyorError, RefusedError, UnavailableError
from purveyor.wire.status_messages import StatusId


def _raised(number: int, wanted: str) -> PurveyorError:
    """As a folder raises it: by what the system said."""
    system = OSError(number, "its words")
    with pytest.raises(UnavailableError) as caught:
        raise unavailable(system, "/srv/cap2", wanted) from system
    return caught.value


@pytest.mark.parametrize(
    ("number", "wanted", "trouble"),
    [
        (errno.ENOSPC, "write", StatusId.POINT_FULL),
        (errno.EDQUOT, "make", StatusId.POINT_FULL),
        (errno.EROFS, "write", StatusId.POINT_READ_ONLY),
        (errno.EACCES, "remove", StatusId.POINT_READ_ONLY),
        (errno.EACCES, "read", StatusId.POINT_FAILS),
        (errno.EIO, "write", StatusId.POINT_FAILS),
    ],
)
def test_what_the_system_said_tells_what_is_wrong_with_a_point(number: int, wanted: str, trouble: StatusId) -> None:
    error = _raised(number, wanted)
    assert trouble_of(error) is trouble
    with pytest.raises(UnavailableError) as caught:
        raise UnavailableError("3 manifests could not be copied") from error
    assert trouble_of(caught.value) is trouble


def test_what_is_another_sites_is_foreign_and_any_other_refusal_or_a_bug_is_a_failure() -> None:
    assert trouble_of(ForeignError("this place belongs to another site")) is StatusId.POINT_FOREIGN
    assert trouble_of(RefusedError("others can read the file of credentials")) is StatusId.POINT_FAILS
    assert trouble_of(ZeroDivisionError()) is StatusId.POINT_FAILS
