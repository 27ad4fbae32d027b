"""What a site tells of its points, as an administrator types it against a site that runs."""

from purveyor.site_server.database import points, upward
from purveyor.site_server.database.upward import Asked
from purveyor.wire.status_messages import StatusId
from running_site import RunningSite
from site_rows import NOW, add_clients, client_id_at, number_of


def test_requests_for_absent_files_are_shown_for_each_point_and_in_all_and_nothing_heard_is_not_zero(
    running_site: RunningSite,
) -> None:
    listed = running_site.purveyor("point", "list").out
    assert listed.count("not told") == 2
    assert listed.endswith("requests for absent files: no client has told of any yet\n")
    assert "absent files: no client has told of it yet" in running_site.purveyor("point", "show", "cap1").out
    with running_site.site.database.write() as tx:
        add_clients(tx, 1)
        number = number_of(tx, client_id_at(1))
        upward.set_asked(tx, [Asked(number, "", 2), Asked(number, "cap1", 0), Asked(number, "dp1", 1)])
    listed = running_site.purveyor("point", "list").out
    assert "not told" not in listed
    assert listed.endswith("requests for absent files: 3 in all, 2 of them at addresses that are no point's, as 1 client told\n")
    assert "absent files: 0 requests, as 1 client told" in running_site.purveyor("point", "show", "cap1").out
    rows = {row["id"]: row["absent_requests"] for row in running_site.purveyor("point", "list", "--json").json}
    assert rows == {"cap1": 0, "dp1": 1}


def test_messages_of_a_point_stand_beside_those_of_clients(running_site: RunningSite) -> None:
    with running_site.site.database.write() as tx:
        points.tell(tx, "dp1", StatusId.POINT_FULL, "there is no room left", NOW)
    (told,) = running_site.purveyor("status", "messages", "--point", "dp1", "--json").json
    assert (told["status"], told["severity"], told["client"], told["point"]) == (10143, "error", None, "dp1")
    assert "dp1    10143 POINT_FULL  error     -" in running_site.purveyor("status", "messages").out
    assert running_site.purveyor("status", "messages", "--point", "cap1").err == "no messages yet\n"
    assert "there is no point 'cap9'" in running_site.purveyor("status", "messages", "--point", "cap9").err
    assert running_site.purveyor("status", "package", "S0100001", "--point", "dp1").code == 2
