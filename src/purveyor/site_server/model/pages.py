"""How much one answer may hold. Pure."""

from purveyor.wire.errors import RefusedError

LARGEST_PAGE = 1000


def page_size(limit: int) -> int:
    """The size of a page. Errors: RefusedError when it is out of bounds."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise RefusedError(f"a page has 1 to {LARGEST_PAGE} entries, not {limit}")
    return limit
