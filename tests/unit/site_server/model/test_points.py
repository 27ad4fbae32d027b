"""What may be said of a point."""

import pytest

from purveyor.site_server.model.points import networks_in
from purveyor.wire.errors import RefusedError


def test_networks_are_kept_in_one_form_and_order() -> None:
    written = (" fd00:1::/48", "10.2.0.0/255.255.0.0", "10.1.0.0/16", "FD00:1:0::/48", "0.0.0.0/0")
    assert networks_in(written) == ("0.0.0.0/0", "10.1.0.0/16", "10.2.0.0/16", "fd00:1::/48")


@pytest.mark.parametrize(
    "text", ["", "branch", "10.1.0.5/16", "10.1.0.0/33", "fe80::/10", "fe80::%eth0/64", "::ffff:10.1.0.0/112"]
)
def test_a_network_that_is_none_or_in_which_no_client_is_ever_seen_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="network"):
        networks_in([text])
