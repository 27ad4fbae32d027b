"""Settings over REST."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import StrictBool, StrictInt, StrictStr, StringConstraints

from purveyor.console.authentication import Administrator, Reader
from purveyor.console.errors import ANSWERS
from purveyor.console.shapes import Asked
from purveyor.site_server.admin import settings
from purveyor.site_server.admin.settings import SettingView
from purveyor.wire.bandwidth import TEXT_LIMIT

router = APIRouter(prefix="/settings", tags=["settings"], responses=ANSWERS)


class SettingValue(Asked):
    """What a setting is to be: a whole number, true or false, or a text where it is a budget."""

    value: StrictBool | StrictInt | Annotated[StrictStr, StringConstraints(max_length=TEXT_LIMIT)]


@router.get("", summary="Show all settings")
def shown(visit: Reader) -> list[SettingView]:
    """Every setting with its default."""
    return list(visit.read(settings.shown))


@router.put("/{name}", summary="Change a setting")
def change(visit: Administrator, name: Annotated[str, Path(max_length=64)], asked: SettingValue) -> SettingView:
    """The setting as it is then; agents hear of it with the next publication."""
    return visit.change(lambda tx: settings.change(tx, name, asked.value, by=visit.by, now=visit.now()))
