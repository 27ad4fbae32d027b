"""How structs become bytes and come back: JSON, with sorted keys so that equal values are equal bytes.

Errors name the place (`at $.programs[2]`). Unknown fields are passed over, so that a newer site can speak to an older client.
"""

import re
from datetime import datetime
from typing import Annotated, TypeVar, dataclass_transform

import msgspec

from purveyor.wire.errors import RejectedError

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware UTC time."""

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="sorted")
_decoders: dict[object, msgspec.json.Decoder[object]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value that crosses between machines: frozen, built by names, defaults left out."""


def to_bytes(value: object) -> bytes:
    """The JSON bytes of a struct: the same value always gives the same bytes."""
    return _encoder.encode(value)


def from_bytes(content: bytes, shape: type[T]) -> T:
    """The struct in these bytes.

    Errors: RejectedError when they are not JSON of that shape.
    """
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        return decoder.decode(content)  # type: ignore[return-value]  # the decoder of this shape gives this shape
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        thing = re.sub("(?<=[a-z])(?=[A-Z])", " ", getattr(shape, "__name__", str(shape))).lower()
        raise RejectedError(f"not a readable {thing}: {error}") from error
