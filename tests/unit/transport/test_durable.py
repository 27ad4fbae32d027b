"""What has to be synced for a file to stay."""

from purveyor.transport.durable import folders_between


def test_a_files_folders_are_those_from_its_own_up_to_the_shelfs() -> None:
    assert folders_between("/srv/CAP", "/srv/CAP/offerinf.box/lookup/1/0.lkp") == [
        "/srv/CAP/offerinf.box/lookup/1",
        "/srv/CAP/offerinf.box/lookup",
        "/srv/CAP/offerinf.box",
        "/srv/CAP",
    ]
