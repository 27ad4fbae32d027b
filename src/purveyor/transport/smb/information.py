"""What is said to a share of an open file, and asked of the disk that it lies on.

Source: MS-SMB2 2.2.37 to 2.2.40, MS-FSCC 2.5.4.
"""

from typing import Any

from smbprotocol.file_info import FileFsFullSizeInformation
from smbprotocol.open import SMB2QueryInfoRequest, SMB2QueryInfoResponse, SMB2SetInfoRequest

_ANSWER_BYTES = 4096


def set_information(tree: Any, opened: Any, information: Any) -> None:
    """Changes what the server knows of an open file. Errors: SMBException."""
    message = SMB2SetInfoRequest()
    message["buffer"] = information
    _ask(tree, opened, information, message)


def free_bytes(tree: Any, opened: Any) -> int:
    """How much more fits where an open folder lies, for whoever asks. Errors: SMBException."""
    information = FileFsFullSizeInformation()
    message = SMB2QueryInfoRequest()
    message["output_buffer_length"] = _ANSWER_BYTES
    answer = SMB2QueryInfoResponse()
    answer.unpack(_ask(tree, opened, information, message)["data"].get_value())
    information.unpack(answer["buffer"].get_value())
    units, sectors = information["caller_available_units"], information["sectors_per_unit"]
    return int(units.get_value() * sectors.get_value() * information["bytes_per_sector"].get_value())


def _ask(tree: Any, opened: Any, information: Any, message: Any) -> Any:
    message["info_type"] = information.INFO_TYPE
    message["file_info_class"] = information.INFO_CLASS
    message["file_id"] = opened.file_id
    connection = tree.session.connection
    return connection.receive(connection.send(message, tree.session.session_id, tree.tree_connect_id))
