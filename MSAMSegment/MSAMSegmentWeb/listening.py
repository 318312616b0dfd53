"""Whether the page can be served as it is asked for, found out before anything of it is there."""

from __future__ import annotations

import ssl

from msam.errors import MsamError
from msam.service.sockets import host_sockets
from MSAMSegmentWeb.options import Options


def check(options: Options) -> None:
    """Looks at the certificate and at the address.

    Raises:
        MsamError: one of them cannot be used; the text says which, why, and what to do.
    """
    tls(options)
    try:
        sockets = host_sockets(options.host, options.port)
    except MsamError as error:
        why = getattr(error.__cause__, "strerror", None) or "that is no name of this computer"
        raise MsamError(
            f"The page cannot listen at {options.host}, port {options.port}: {why}. If it is served there already, "
            "open that one; else choose another port with --port, 0 for any free one, or another --host."
        ) from error
    for opened in sockets:
        opened.close()


def tls(options: Options) -> ssl.SSLContext | None:
    """What the page is encrypted with; None without a certificate.

    Raises:
        MsamError: the files are no certificate and its key.
    """
    if options.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password where one is asked for: nobody may be at the keyboard.
        context.load_cert_chain(options.certificate, options.private_key, password="")
    except (OSError, ValueError) as error:
        raise MsamError(
            f"The certificate {options.certificate} with the private key {options.private_key} cannot be used "
            f"({getattr(error, 'reason', None) or error}). Both are files in PEM form, the key without a password."
        ) from error
    return context
