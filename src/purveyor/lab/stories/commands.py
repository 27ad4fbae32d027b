"""`purveyor lab story` and `purveyor lab stories`: the promise tried on one seed, or on as many as a night has time for."""

import logging
import time

from purveyor.cli.call import Call, UsageError
from purveyor.cli.output import Output
from purveyor.lab.stories.nightly import Summary, told_many
from purveyor.lab.stories.shrinking import shrunk
from purveyor.lab.stories.story import STEPS, Story, story_of
from purveyor.lab.stories.telling import Told, tell, told

KEPT, BROKEN = 0, 1
FAILURES_SHOWN = 5
PROGRESS_SECONDS = 10


def story(call: Call) -> int:
    """Tells one story, and makes it short if the promise broke."""
    options, output = call.arguments, call.output
    logging.disable(logging.ERROR)  # what goes wrong at the site is what the story is about
    whole = story_of(options.seed, options.steps)
    chosen = whole.only(_numbers(options.only, whole)) if options.only else whole
    result = told(chosen)
    shortest = shrunk(result) if result.broken and not options.only else None
    if output.is_json:
        shown = _json(result) | {"shortest": None if shortest is None else _json(shortest)}
        output.give_json(shown)
    else:
        _give(output, result)
        if shortest is not None:
            output.give("\nThe shortest story that breaks it:")
            _give(output, shortest)
            output.give(f"\nThis tells it again: {_replay(shortest.story)}")
    return KEPT if result.is_kept else BROKEN


def stories(call: Call) -> int:
    """Tells many stories, and makes the first that broke the promise short."""
    options, output = call.arguments, call.output
    logging.disable(logging.ERROR)
    if options.count < 1 or options.jobs < 1:
        raise UsageError("--count and --jobs are 1 at least")
    began_at = time.monotonic()
    clock = _Progress(output, options.count, began_at)
    seeds = range(options.first, options.first + options.count)
    summary = told_many(seeds, steps=options.steps, jobs=options.jobs, heard=clock.tell)
    minutes = max(time.monotonic() - began_at, 0.001) / 60
    shortest = [shrunk(tell(seed, options.steps)) for seed in summary.failures[:FAILURES_SHOWN]]
    if output.is_json:
        output.give_json(
            {
                "count": summary.count,
                "first": options.first,
                "steps": options.steps,
                "broken": summary.failures,
                "stories_per_minute": round(summary.count / minutes, 1),
                "client_days": round(summary.client_days, 1),
                "kinds": dict(sorted(summary.kinds.items())),
                "shortest": [_json(one) for one in shortest],
            }
        )
    else:
        for one in shortest:
            output.give(f"\nSeed {one.story.seed}, as short as it can be:")
            _give(output, one)
            output.give(f"This tells it again: {_replay(one.story)}")
        output.give_table(("step", "times"), sorted(summary.kinds.items()), empty="no steps")
        output.give(
            f"stories told: {summary.count}, {summary.count / minutes:.0f} a minute, {summary.client_days:.0f} client-days;"
            f" the promise broke in {len(summary.failures)}"
        )
    return BROKEN if summary.failures else KEPT


class _Progress:
    """Says now and then how far it has come, and each seed that broke the promise at once."""

    def __init__(self, output: Output, count: int, began_at: float) -> None:
        self._output, self._count, self._began_at, self._said_at = output, count, began_at, began_at
        self._told = 0

    def tell(self, summary: Summary) -> None:
        now = time.monotonic()
        for seed in summary.failures[self._told :]:
            self._output.say(f"the promise broke: purveyor lab story {seed}")
        self._told = len(summary.failures)
        if now - self._said_at >= PROGRESS_SECONDS:
            self._said_at = now
            pace = 60 * summary.count / (now - self._began_at)
            self._output.say(f"{summary.count} of {self._count} stories, {pace:.0f} a minute, broken: {len(summary.failures)}")


def _numbers(text: str, whole: Story) -> frozenset[int]:
    """The steps that are named. Errors: UsageError."""
    try:
        numbers = frozenset(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} are no numbers of steps: some such as 3,7,9 are expected") from None
    if not numbers <= set(whole.numbers):
        raise UsageError(f"the story of seed {whole.seed} has the steps 1 to {len(whole.numbers)}")
    return numbers


def _replay(short: Story) -> str:
    return f"purveyor lab story {short.seed}{_steps(short)} --only {','.join(map(str, short.numbers))}"


def _steps(short: Story) -> str:
    return "" if short.whole_count == STEPS else f" --steps {short.whole_count}"


def _give(output: Output, result: Told) -> None:
    output.give(
        f"Seed {result.story.seed}: a site and {result.story.client_count} clients, pc1 to pc{result.story.client_count}."
    )
    for sentence in result.story.sentences():
        output.give(sentence)
    output.give("Then all faults are over, and two polls go by.")
    output.give("The promise was kept." if result.is_kept else "The promise was broken:")
    for sentence in result.broken:
        output.give(f"- {sentence}")


def _json(result: Told) -> dict[str, object]:
    return {
        "seed": result.story.seed,
        "clients": result.story.client_count,
        "steps": [
            {
                "number": number,
                "kind": step.kind,
                "arguments": list(step.arguments),
                "minutes": step.minutes,
                "says": step.sentence(),
            }
            for number, step in zip(result.story.numbers, result.story.steps, strict=True)
        ],
        "broken": list(result.broken),
        "client_days": round(result.client_days, 2),
        "replay": _replay(result.story),
    }
