"""
The service's errors: code, status and text in one closed table.

    ServiceError   answered as the service answers it
    Refused        answered with 501, or 400 for a malformed one, because the request is outside
                   the closed tables, and named; counted
    UnverifiedError     answered with 501 because nobody recorded what the service does; counted
"""

from __future__ import annotations

__all__ = ["ERRORS", "Refused", "ServiceError", "UnverifiedError"]

ERRORS: dict[str, tuple[int, str]] = {
    # recorded
    "PathAlreadyExists": (409, "The specified path already exists."),
    "PathNotFound": (404, "The specified path does not exist."),
    "FilesystemNotFound": (404, "The specified filesystem does not exist."),
    "DirectoryNotEmpty": (
        409,
        "The recursive query parameter value must be true to delete a non-empty directory.",
    ),
    "ConditionNotMet": (
        412,
        "The condition specified using HTTP conditional header(s) is not met.",
    ),
    "SourceConditionNotMet": (
        412,
        "The source condition specified using HTTP conditional header(s) is not met.",
    ),
    "SourcePathNotFound": (404, "The source path for a rename operation does not exist."),
    "ContainerAlreadyExists": (409, "The specified container already exists."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "OperationNotAllowedInCurrentState": (
        409,
        "The requested operation is not allowed in the current state of the entity.",
    ),
    "PathConflict": (
        409,
        "The specified path, or an element of the path, exists and its resource type is "
        "invalid for this operation.",
    ),
    "InvalidSourceOrDestinationResourceType": (
        409,
        "The source and destination resource type must be identical.",
    ),
    # reported by users of real accounts
    "RenameDestinationParentPathNotFound": (
        404,
        "The parent directory of the destination path does not exist.",
    ),
    "DirectoryIsNotEmpty": (409, "This operation is not permitted on a non-empty directory."),
    "OperationNotSupportedOnDirectory": (
        400,
        "The requested operation is not supported on a directory.",
    ),
    "FeatureNotYetSupportedForHierarchicalNamespaceAccounts": (
        409,
        "This feature is not currently supported for hierarchical namespace accounts.",
    ),
    # documented only
    "InvalidFlushPosition": (
        400,
        "The uploaded data is not contiguous or the position query parameter value is not "
        "equal to the length of the file after appending the uploaded data.",
    ),
    "InvalidFlushOperation": (
        409,
        "The resource was created or modified by the Blob Service API and cannot be written "
        "to by the Data Lake Storage Service API.",
    ),
    "InvalidRenameSourcePath": (
        409,
        "The source directory cannot be the same as the destination directory, nor can the "
        "destination be a subdirectory of the source directory.",
    ),
    "ResourceTypeMismatch": (
        409,
        "The specified resource type does not match the type of the existing resource.",
    ),
    "InvalidSourceUri": (400, "The source URI is invalid."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "TargetConditionNotMet": (
        412,
        "The target condition specified using HTTP conditional header(s) is not met.",
    ),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidBlobOrBlock": (400, "The specified blob or block content is invalid."),
    "Md5Mismatch": (
        400,
        "The MD5 value specified in the request did not match with the MD5 value calculated "
        "by the server.",
    ),
    "InvalidUri": (400, "The request URI is invalid."),
    "InvalidResourceName": (400, "The specified resource name contains invalid characters."),
    "ExceedsMaxBatchRequestCount": (
        400,
        "The batch request count exceeds the maximum permitted.",
    ),
    "FilesystemAlreadyExists": (409, "The specified filesystem already exists."),
    "InvalidXmlDocument": (400, "The specified XML is not syntactically valid."),
    "NoAuthenticationInformation": (
        401,
        "Server failed to authenticate the request. Please refer to the information in the "
        "www-authenticate header.",
    ),
    "AuthenticationFailed": (
        403,
        "Server failed to authenticate the request. Make sure the value of Authorization "
        "header is formed correctly including the signature.",
    ),
    "ServerBusy": (503, "The server is currently unable to receive requests. Please retry."),
    # the emulator's own strictness, with the service's codes where it has some
    "UnsupportedQueryParameter": (501, "The emulator does not serve a query of this request."),
    "UnsupportedHeader": (501, "The emulator does not serve a header of this request."),
    "UnsupportedOperation": (501, "The emulator does not serve this operation."),
    "UnsupportedHost": (400, "There is no such host or account here."),
    "MissingRequiredQueryParameter": (
        400,
        "A required query parameter was not specified for this request.",
    ),
    "MissingContentLengthHeader": (411, "The Content-Length header was not specified."),
    "InvalidInput": (400, "A request input is not valid."),
    "InvalidQueryParameterValue": (400, "The value of a query parameter is invalid."),
    "InvalidHeaderValue": (400, "The value of a header is not in the correct format."),
    "ContentLengthMustBeZero": (400, "The Content-Length request header must be zero."),
    "MultipleConditionHeadersNotSupported": (
        400,
        "Multiple condition headers are not supported.",
    ),
    "EmulatorUnverified": (501, "The emulator does not know what the service does here."),
}
"""Status and text by code."""


class ServiceError(Exception):
    """
    What the service answers instead of carrying a request out.

    Args:
        code: A code of `ERRORS`, or any other if *status* and *text* are given.
        headers: Headers beyond those of every error.
    """

    def __init__(
        self,
        *,
        code: str,
        status: int | None = None,
        text: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        known_status, known_text = ERRORS.get(code, (0, ""))
        self.code = code
        self.status = status or known_status
        self.text = text or known_text
        self.headers = headers
        super().__init__(f"{self.status} {code}")


class Refused(ServiceError):
    """
    The request is not in the closed tables.

    Args:
        detail: The query, header or value that is not; it is what gets counted.
    """

    def __init__(self, *, code: str, detail: str) -> None:
        super().__init__(code=code, text=_about(code, detail))
        self.detail = detail


class UnverifiedError(ServiceError):
    """
    Nobody recorded what the service does here, so a guess must not pass a test.

    Args:
        operation: What gets counted.
    """

    def __init__(self, *, operation: str) -> None:
        code = "EmulatorUnverified"
        super().__init__(code=code, text=_about(code, operation))
        self.operation = operation


def _about(code: str, detail: str) -> str:
    """Return the text of an error that names a part of the request, as a reason phrase can."""
    shown = "".join(c if " " <= c <= "~" else "?" for c in detail)[:300]
    return f"{ERRORS[code][1].rstrip('.')}: {shown}"
