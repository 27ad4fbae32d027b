"""`purveyor lab …`: stories that try the promise on a simulated fleet."""

import argparse

from purveyor.cli.arguments.shape import Noun

CODES = {0: "the promise was kept", 1: "it was broken", 2: "wrong usage", 3: "something that is needed is not there now"}


def register(root: Noun) -> None:
    """Adds the commands of this noun."""
    lab = root.noun("lab", "a simulated fleet, on which the promise is tried")
    story = lab.verb(
        "story",
        "purveyor.lab.stories.commands:story",
        "tell the story of one seed, with its faults, and say whether the promise was kept",
        examples=("purveyor lab story 7", "purveyor lab story 7 --only 3,7,9"),
        more="A story that breaks it is made as short as it can be. docs/stories.md says what the promise is.",
        codes=CODES,
    )
    story.add_argument("seed", metavar="SEED", type=int, help="whole number from which everything in the story follows")
    _add_steps(story)
    story.add_argument("--only", metavar="N,N", default="", help="tell only the steps with these numbers")
    stories = lab.verb(
        "stories",
        "purveyor.lab.stories.commands:stories",
        "tell many stories, as a night has time for, and count what they came to",
        examples=("purveyor lab stories --count 10000 --jobs 2",),
        codes=CODES,
    )
    stories.add_argument("--count", metavar="N", type=int, default=1000, help="how many (default: 1000)")
    stories.add_argument("--first", metavar="SEED", type=int, default=0, help="the first seed; the others follow it (default: 0)")
    stories.add_argument("--jobs", metavar="N", type=int, default=1, help="how many processes tell them (default: 1)")
    _add_steps(stories)


def _add_steps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", metavar="N", type=int, default=14, help="how many steps a story has (default: 14)")
