"""Status messages: their numbers are for ever."""

from purveyor.wire.status_messages import Severity, StatusId, severity_of


def test_the_ancestors_numbers_mean_what_they_meant() -> None:
    assert StatusId.PROGRAM_STARTED == 10005
    assert StatusId.FAILED_BY_EXIT_CODE == 10006
    assert StatusId.SUCCEEDED_BY_EXIT_CODE == 10008
    assert StatusId.SUCCEEDED_BY_RESULT_FILE == 10009


def test_ours_do_not_collide_with_the_ancestors() -> None:
    assert all(status < 10100 or status.name for status in StatusId)
    assert len({int(status) for status in StatusId}) == len(list(StatusId))


def test_what_failed_is_an_error_and_what_succeeded_is_none() -> None:
    for status in StatusId:
        if "FAILED" in status.name:
            assert severity_of(status) is Severity.ERROR, status
        if "SUCCEEDED" in status.name:
            assert severity_of(status) is Severity.INFORMATION, status
