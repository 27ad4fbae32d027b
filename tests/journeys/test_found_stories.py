"""Stories that once broke the promise, as short as they could be made: each names what was wrong, and is told again for good."""

from purveyor.lab.stories.stage import Stage
from purveyor.lab.stories.steps import Step
from purveyor.lab.stories.story import Story
from purveyor.lab.stories.telling import told
from purveyor.site_server.admin import packages

EDITOR = Step(
    "package-added", ("Editor", "no content", "nothing else", "runs well", "no uninstall command", "no detection", "leave")
)
AT_ONCE = Step("advertised", ("A1", "Editor", "Pilot", "as soon as possible"))


def broken(*steps: Step, client_count: int = 2, seed: int = 0) -> tuple[str, ...]:
    """What of the promise a story breaks that is told from these steps."""
    numbers = tuple(range(1, len(steps) + 1))
    return told(Story(seed, client_count, steps, numbers, len(steps))).broken


def test_a_pause_of_a_point_that_a_clock_left_which_was_ahead_is_not_kept_to() -> None:
    added = Step(EDITOR.kind, EDITOR.arguments, 60)
    ahead = Step("clock-jumps", ("pc1", 3), 42)
    assert broken(added, ahead, AT_ONCE, Step("damaged", ("timestamp.json",), 32), seed=616) == ()


def test_a_machine_that_tells_again_after_a_power_cut_what_was_taken_without_an_answer_is_no_clone() -> None:
    slow = Step(
        "package-added",
        ("Editor", "content", "nothing else", "takes ten minutes", "an uninstall command", "no detection", "leave"),
        47,
    )
    assert (
        broken(
            slow,
            Step("advertised", ("A1", "Editor", "All Systems", "as soon as possible"), 54),
            Step("advertisement-expires", ("A1",), 15),
            Step("requests-lost", (4, 47)),
            Step("program-deleted", ("Editor",), 67),
            Step("power-cut", ("pc1", 26), 64),
            client_count=3,
            seed=683,
        )
        == ()
    )


def test_a_power_cut_between_noticing_a_deletion_and_telling_of_it_is_made_up_for() -> None:
    paused = Step("advertisement-paused", ("A1",), 70)
    for effect in range(6, 12):
        cut = Step("power-fails-at", ("pc2", effect))
        assert broken(EDITOR, AT_ONCE, paused, cut, Step("package-deleted", ("Editor", "finish"), 70)) == (), f"effect {effect}"


def test_a_client_that_never_heard_of_a_package_answers_its_removal_all_the_same() -> None:
    removable = Step(
        "package-added",
        ("Editor", "no content", "nothing else", "runs well", "an uninstall command", "no detection", "leave"),
        27,
    )
    offered = Step(AT_ONCE.kind, AT_ONCE.arguments, 5)
    with Stage(client_count=2, seed=0) as stage:
        for step in (removable, offered, Step("package-removed", ("Editor",), 16)):
            step.take(stage)
        stage.end()
        progress = stage.fleet.admin.ask(packages.retirement, stage.product("Editor").package, stage.fleet.clock.now())
        assert progress.acknowledged == progress.held == 2


def test_lists_of_boxes_that_name_what_has_vanished_do_not_keep_the_site_turning() -> None:
    with Stage(client_count=1, seed=0) as stage:
        stage.fleet.advance_polls(1)
        stage.fleet.cap.mix_up_lists()
        assert [stage.fleet.executive.turn() for _ in range(10)][-1] is False


def test_a_refused_program_whose_new_time_an_earlier_success_answers_is_not_shown_as_refused() -> None:
    elsewhere = Step("program-elsewhere", ("Editor",), 70)
    nightly = Step("advertised", ("A2", "Editor", "Pilot", "every night at half past two"), 30)
    assert broken(EDITOR, AT_ONCE, nightly, elsewhere, Step("advertisement-edited", ("A2", "in two hours"))) == ()


def test_what_failed_on_a_machine_before_it_became_a_client_of_its_own_is_told_by_that_client() -> None:
    fails = Step(EDITOR.kind, (*EDITOR.arguments[:3], "fails always", *EDITOR.arguments[4:]))
    copied = Step("cloned", ("pc2", "copy1", "has a name of its own"))
    assert broken(fails, copied, Step(AT_ONCE.kind, AT_ONCE.arguments, 30), client_count=4, seed=155) == ()


def test_an_identity_whose_keeper_turns_out_to_be_two_machines_is_kept_by_nobody() -> None:
    alike = Step("cloned", ("pc1", "copy1", "cannot be told apart from it"), 10)
    assert broken(alike, Step("cloned", ("pc1", "copy2", "has a name of its own")), client_count=3, seed=1297) == ()


def test_a_deletion_waits_for_no_identity_that_nobody_keeps() -> None:
    removable = Step(EDITOR.kind, (*EDITOR.arguments[:4], "an uninstall command", *EDITOR.arguments[5:]))
    offered, removed = Step(AT_ONCE.kind, AT_ONCE.arguments, 71), Step("package-removed", ("Editor",), 16)
    alike = Step("cloned", ("pc1", "copy1", "cannot be told apart from it"), 70)
    assert broken(removable, offered, Step("disk-read-only", ("pc2",), 100), removed, alike, client_count=3, seed=110) == ()


def test_what_is_uninstalled_everywhere_first_waits_for_a_machine_that_owes_a_restart() -> None:
    uninstall = "an uninstall command for when nobody offers it any more"
    restarts = Step(EDITOR.kind, (*EDITOR.arguments[:3], "asks for a restart", uninstall, "detection", "leave"))
    steps = (restarts, Step(AT_ONCE.kind, AT_ONCE.arguments, 228), Step("package-removed", ("Editor",), 48))
    assert broken(*steps, Step("power-fails-at", ("pc2", 18)), Step("logon", ("pc1", "alice"), 180)) == ()


def test_what_was_uninstalled_before_two_machines_that_are_alike_joined_anew_is_told_as_not_offered() -> None:
    leaving = "an uninstall command for when nobody offers it any more"
    added = Step(EDITOR.kind, (*EDITOR.arguments[:4], leaving, "detection", "leave"), 21)
    alike = Step("cloned", ("pc2", "copy1", "cannot be told apart from it"), 42)
    offered = Step(AT_ONCE.kind, AT_ONCE.arguments, 57)
    assert broken(added, offered, alike, Step("advertisement-deleted", ("A1",)), client_count=3, seed=20009) == ()


def test_a_copy_that_was_told_to_join_as_itself_right_before_the_site_was_lost_is_taken_in_by_the_restored_one() -> None:
    copied = Step("cloned", ("pc2", "copy1", "has a name of its own"), 81)
    restored = Step("restored", ("weekly", "is lost too"), 47)
    assert broken(Step("backup", ("weekly",), 236), copied, restored, client_count=3, seed=20243) == ()


def test_a_restored_site_hears_that_the_restart_came_for_which_a_program_waited() -> None:
    restarts = Step(EDITOR.kind, (*EDITOR.arguments[:3], "asks for a restart", *EDITOR.arguments[4:]), 11)
    steps = (restarts, Step(AT_ONCE.kind, AT_ONCE.arguments, 21), Step("backup", ("weekly",), 45), Step("restart", ("pc2",), 24))
    assert broken(*steps, Step("restored", ("weekly", "outlived it"), 17), seed=20423) == ()


def test_a_package_that_is_deleted_after_an_identity_was_given_up_does_not_wait_for_it() -> None:
    starts_not = Step(EDITOR.kind, (*EDITOR.arguments[:3], "cannot be started", *EDITOR.arguments[4:]))
    alike = Step("cloned", ("pc1", "copy1", "cannot be told apart from it"), 82)
    deleted = Step("package-deleted", ("Editor", "ask"), 156)
    recurring = Step("advertised", ("A1", "Editor", "All Systems", "every three hours"), 7)
    assert broken(starts_not, recurring, alike, deleted, client_count=4, seed=30052) == ()


def test_a_request_to_join_that_was_thrown_away_is_sent_again() -> None:
    away, joins = Step("discarding", (), 44), Step("new-machine", ("pc5",), 20)
    assert broken(Step("windows-closed", (), 91), away, joins, seed=40145) == ()


def test_of_two_machines_that_are_alike_each_tells_what_was_refused_for_its_number_when_both_join_anew() -> None:
    leaving = "an uninstall command for when nobody offers it any more"
    added = Step(EDITOR.kind, (*EDITOR.arguments[:3], "leaves a child behind", leaving, "detection", "run-again"), 17)
    steps = (
        Step("advertised", AT_ONCE.arguments, 60),
        Step("clock-drifts", ("pc2", 120), 210),
        Step("advertisement-paused", ("A1",), 33),
        Step("power-cut", ("pc2", 0), 240),
        Step("cloned", ("pc1", "copy1", "cannot be told apart from it"), 27),
        Step("advertised", ("A3", "Editor", "All Systems", "every three hours"), 60),
    )
    assert broken(added, *steps, seed=40234) == ()


def test_a_restored_site_hears_of_a_program_that_failed_without_a_run() -> None:
    restarts = Step(
        EDITOR.kind,
        ("Editor", "content", "nothing else", "restarts the machine at its end", *EDITOR.arguments[4:6], "run-again"),
        22,
    )
    depends = Step(EDITOR.kind, ("Archiver", "content", "Editor", "cannot be started", *EDITOR.arguments[4:]), 111)
    offered, backup = Step("advertised", ("A2", "Archiver", "Pilot", "as soon as possible"), 46), Step("backup", ("nightly",), 50)
    assert broken(restarts, depends, offered, backup, Step("restored", ("nightly", "outlived it"), 14), seed=290) == ()


def test_a_restored_site_hears_of_a_deletion_also_from_who_reads_of_it_in_several_passes() -> None:
    starts_not = Step(EDITOR.kind, ("Archiver", "content", "nothing else", "cannot be started", *EDITOR.arguments[4:]), 111)
    steps = (
        Step("advertised", ("A2", "Archiver", "Pilot", "as soon as possible"), 46),
        Step("moves", ("pc1", "harbour"), 26),
        Step("backup", ("nightly",), 50),
        Step("package-deleted", ("Archiver", "finish"), 56),
        Step("discarding", (), 235),
        Step("restored", ("nightly", "outlived it"), 14),
        Step("requests-lost", (4, 61), 93),
    )
    assert broken(starts_not, *steps, client_count=4, seed=290) == ()


def test_two_machines_that_are_alike_join_anew_also_where_only_the_copy_met_numbers_that_it_never_gave() -> None:
    editor = Step(EDITOR.kind, ("Editor", "content", *EDITOR.arguments[2:5], "detection", "leave"), 42)
    archiver = Step(
        EDITOR.kind, ("Archiver", "content", *EDITOR.arguments[2:4], "an uninstall command", "detection", "run-again"), 51
    )
    steps = (
        Step(AT_ONCE.kind, AT_ONCE.arguments, 106),
        archiver,
        Step("cloned", ("pc2", "copy1", "cannot be told apart from it"), 43),
        Step("requests-lost", (2, 21), 35),
        Step("offered", ("A3", "Archiver", "in two hours, and they may put it off for a day"), 218),
    )
    assert broken(editor, *steps, client_count=3, seed=1510) == ()


def test_what_a_copy_put_where_it_was_thrown_away_is_told_again_though_its_original_used_the_same_number() -> None:
    editor = Step(
        EDITOR.kind, ("Editor", *EDITOR.arguments[1:3], "takes ten minutes", "no uninstall command", "detection", "run-again"), 33
    )
    archiver = Step(
        EDITOR.kind,
        (
            "Archiver",
            *EDITOR.arguments[1:3],
            "cannot be started at first",
            "an uninstall command for when nobody offers it any more",
            "detection",
            "run-again",
        ),
    )
    steps = (
        Step("advertised", ("A1", "Editor", "Pilot", "at each start of the machine")),
        archiver,
        Step("advertised", ("A2", "Archiver", "Pilot", "as soon as possible"), 55),
        Step("discarding", (), 60),
        Step("cloned", ("pc1", "copy1", "has a name of its own"), 154),
        Step("program-disabled", ("Archiver",), 44),
    )
    assert broken(editor, *steps, seed=50350) == ()


def test_how_a_program_stands_on_a_machine_that_went_back_is_what_it_told_last_also_where_the_site_heard_that_first() -> None:
    hangs = Step(
        EDITOR.kind, ("Editor", "no content", "nothing else", "hangs", "an uninstall command", "no detection", "run-again"), 55
    )
    steps = (
        Step("advertised", ("A1", "Editor", "All Systems", "in two hours")),
        Step("snapshot", ("pc2",)),
        Step("advertised", ("A2", "Editor", "Pilot", "at each start of the machine"), 6),
        Step("half-published", (6,), 228),
        Step("went-back", ("pc2",), 51),
    )
    assert broken(hangs, *steps, client_count=3, seed=2995) == ()
