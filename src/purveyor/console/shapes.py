"""The shapes of what is asked and answered: a request may say nothing that is not known, an answer is frozen."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field


class Asked(BaseModel):
    """A request body. An unknown field is refused: it may be one that was meant to matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer that `admin` has no view for."""

    model_config = ConfigDict(frozen=True)


class Done(Answer):
    """A change that has nothing to tell but that it was made."""

    id: str


Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2000)]
"""Free text of a person."""

IdOrName = Annotated[str, Field(min_length=1, max_length=200)]
"""How a person names a client or a collection."""

PACKAGE_ID = {"pattern": "^[A-Za-z0-9]{3}0(?!0000)[0-9A-Za-z]{4}$"}
ADVERTISEMENT_ID = {"pattern": "^[A-Za-z0-9]{3}2(?!0000)[0-9A-Za-z]{4}$"}
ANY_PACKAGE_ID = {"pattern": "^([A-Za-z0-9]{3}0(?!0000)[0-9A-Za-z]{4})?$"}
ANY_ADVERTISEMENT_ID = {"pattern": "^([A-Za-z0-9]{3}2(?!0000)[0-9A-Za-z]{4})?$"}
"""What the API's document says of ids, and of those that may be left empty; what is none is refused in words of `wire.ids`."""

Number = Annotated[int, Path(ge=1, lt=2**53)]
"""The number of one thing, in the path of a request."""

Before = Annotated[int | None, Query(ge=0, lt=2**63, description="the last number of the page before")]

Page = Annotated[int, Query(ge=1, le=1000, description="how many at most")]
