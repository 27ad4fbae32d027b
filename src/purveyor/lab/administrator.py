"""The administrator of a lab's site: the site's own commands, each in a transaction of its own, in few words.

Nothing here knows more of the site than `site_server.admin` offers; content is taken in as the REST API does it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from purveyor.lab.taking_in import take_in
from purveyor.site_server.admin import advertisements, collections, packages, programs
from purveyor.site_server.site import Site
from purveyor.wire.ids import AdvertisementId, CollectionId, PackageId
from purveyor.wire.offers import RunningChoice
from purveyor.wire.package_info import ProgramKey

NAME = "administrator"

T = TypeVar("T")


class Administrator:
    """Changes a site and asks it questions. `changed` is called after each change, so that the site takes a turn soon."""

    def __init__(self, site: Site, *, changed: Callable[[], None]) -> None:
        self._site = site
        self._changed = changed

    def moves_to(self, site: Site) -> None:
        """Looks after another site from now on: the one that was restored in the place of a lost one."""
        self._site = site

    def change(self, command: Callable[..., T], /, *arguments: object, **options: object) -> T:
        """Runs a command of `site_server.admin` as this administrator, now. Errors: what the command raises."""
        with self._site.changing() as tx:
            answer = command(tx, *arguments, by=NAME, now=self._site.clock(), **options)
        self._changed()
        return answer

    def ask(self, question: Callable[..., T], /, *arguments: object, **options: object) -> T:
        """Asks a question of `site_server.admin`."""
        with self._site.database.read() as tx:
            return question(tx, *arguments, **options)

    # --- the words that stories use ---

    def add_package(self, name: str, files: Mapping[str, bytes] | None = None) -> PackageId:
        """A new package with this content: bytes by path, or none."""
        return self.change(packages.add, name=name, manifest=self._taken_in(files) if files else None)

    def update_package(self, package: PackageId, files: Mapping[str, bytes]) -> None:
        """The next source version of a package."""
        self.change(packages.update, package, manifest=self._taken_in(files))

    def add_program(self, package: PackageId, name: str, command: str, **options: object) -> ProgramKey:
        """A new program; options are those of `site_server.admin.programs.add`."""
        added = self.change(programs.add, package, name=name, command=command, **options)
        return ProgramKey(added.package, added.number)

    def add_collection(self, name: str, members: Iterable[str] = ()) -> CollectionId:
        """A new collection of these clients."""
        return self.change(collections.add, name=name, members=members)

    def all_systems(self) -> CollectionId:
        """The collection of all clients."""
        return next(one.id for one in self.ask(collections.listed) if one.is_all_systems)

    def advertise(
        self,
        program: ProgramKey,
        collection: CollectionId | None = None,
        *,
        assignments: Iterable[str] = ("asap",),
        **options: object,
    ) -> AdvertisementId:
        """A new advertisement to a collection, or to all clients; options are those of `site_server.admin.advertisements.add`."""
        return self.change(
            advertisements.add,
            package=program.package,
            program=program.program,
            collection=collection or self.all_systems(),
            assignments=assignments,
            is_confirmed=True,
            **options,
        )

    def delete_package(
        self, package: PackageId, *, running: RunningChoice = RunningChoice.FINISH, with_uninstall: bool = False
    ) -> None:
        """Deletes a package for good, confirmed."""
        self.change(packages.delete, package, running=running, with_uninstall=with_uninstall, is_confirmed=True)

    def _taken_in(self, files: Mapping[str, bytes]) -> str:
        return take_in(self._site.store, self.change, files)
