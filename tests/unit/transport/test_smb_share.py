"""What a share says of itself: a server that has too much to do is no dead one."""

from typing import NoReturn, cast

import pytest
from smbprotocol.exceptions import SMB2ErrorResponse, SMBResponseException
from smbprotocol.header import SMB2HeaderResponse

from purveyor.transport.smb.address import address_of
from purveyor.transport.smb.session import SmbSession
from purveyor.transport.smb.share import SmbShare
from purveyor.wire.errors import BusyError, UnavailableError


class RefusingSession:
    """A server that answers every request with one status."""

    def __init__(self, status: int) -> None:
        self._status = status

    def tree(self, share: str) -> NoReturn:
        del share
        header = SMB2HeaderResponse()
        header["status"] = self._status
        header["data"] = SMB2ErrorResponse().pack()
        raise SMBResponseException(header)

    def close(self) -> None:
        """Has nothing to end."""


@pytest.mark.parametrize(
    ("status", "is_busy"),
    [(0xC000009A, True), (0xC00000D0, True), (0xC0000205, True), (0xC00000CC, False), (0xC000006D, False)],
)
def test_a_server_with_too_much_to_do_is_busy_and_not_dead(status: int, is_busy: bool) -> None:
    share = SmbShare(address_of("smb://server/DP_S01"), cast("SmbSession", RefusingSession(status)))
    with pytest.raises(UnavailableError) as caught:
        b"".join(share.pieces("manifests/" + "ab" * 32, offset=0, limit_bytes=1))
    assert isinstance(caught.value, BusyError) is is_busy
