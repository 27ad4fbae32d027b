"""Which paths name content."""

import pytest

from purveyor.distribution_point.application import digest_in
from purveyor.wire.manifest import file_path, manifest_path

DIGEST = "ab" * 32


def test_the_paths_that_manifests_name_are_known() -> None:
    assert digest_in(file_path(DIGEST)) == DIGEST
    assert digest_in(manifest_path(DIGEST)) == DIGEST


@pytest.mark.parametrize(
    "path",
    [
        "",
        "files",
        f"files/{DIGEST}",
        f"files/cd/{DIGEST}",
        f"files/ab/{DIGEST}\n",
        f"files/ab/{DIGEST.upper()}",
        f"manifests/{DIGEST}/x",
        f"manifests/{DIGEST[:-1]}",
        f"x/{DIGEST}",
    ],
)
def test_no_other_path_is(path: str) -> None:
    assert digest_in(path) == ""
