"""HTTP requests on Qt, and why one got no answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from MSAMSegmentLib.failures import Failure
from MSAMSegmentLib.transport import Answer, Cancellable, Request

# Qt's numbers of what goes wrong below HTTP; from 100 on it is the proxy, from 200 on what HTTP itself says.
FAILURES = {
    1: Failure.NOTHING_LISTENS,
    2: Failure.LOST,
    3: Failure.NO_SUCH_ADDRESS,
    4: Failure.TOO_SLOW,
    6: Failure.NO_ENCRYPTION,
    7: Failure.UNREACHABLE,
    8: Failure.UNREACHABLE,
}
OF_HTTP = 200
SENDING = {"POST": "post", "PUT": "put"}
ASKING = {"GET": "get", "DELETE": "deleteResource"}

CallLater = Callable[[float, Callable[[], None]], Cancellable]


class QtExchange:
    """One request and its answer."""

    def __init__(
        self,
        manager: Any,
        request: Request,
        onAnswer: Callable[[Answer], None],
        onProgress: Callable[[int, int], None] | None,
        callLater: CallLater,
        onEnd: Callable[[QtExchange], None],
    ) -> None:
        """Prepares; `begin` sends.

        Args:
            manager: Qt's QNetworkAccessManager.
            request: what to send.
            onAnswer: called once, unless it is cancelled.
            onProgress: called with the bytes sent and the bytes to send; None for nobody.
            callLater: of the transport.
            onEnd: called when it need not be kept any more.
        """
        self._manager = manager
        self._request = request
        self._onAnswer: Callable[[Answer], None] | None = onAnswer
        self._onProgress = onProgress
        self._callLater = callLater
        self._onEnd = onEnd
        self._reply: Any = None
        self._alarm: Cancellable | None = None
        self._failure: Failure | None = None
        self._aborted = False

    def begin(self) -> None:
        """Sends the request."""
        outgoing = qt.QNetworkRequest(qt.QUrl(self._request.url))
        # The key is for the engine alone, not for where something in between might lead to.
        outgoing.setAttribute(qt.QNetworkRequest.RedirectPolicyAttribute, int(qt.QNetworkRequest.ManualRedirectPolicy))
        for name, value in self._request.headers.items():
            outgoing.setRawHeader(qt.QByteArray(name.encode()), qt.QByteArray(value.encode()))
        if self._request.certificates is not None and not _trust(outgoing, self._request.certificates):
            self._failure = Failure.NO_CERTIFICATES
            self._alarm = self._callLater(0, self._finished)
            return
        method = self._request.method
        if method in SENDING:
            self._reply = getattr(self._manager, SENDING[method])(outgoing, qt.QByteArray(self._request.body))
        else:
            self._reply = getattr(self._manager, ASKING[method])(outgoing)
        if self._onProgress is not None:
            self._reply.connect("uploadProgress(qint64,qint64)", self._progressed)
        if self._request.url.startswith("https:"):
            self._reply.connect("sslErrors(QList<QSslError>)", self._distrusted)
        self._reply.connect("finished()", self._finished)
        self._alarm = self._callLater(self._request.seconds, self._tooSlow)

    def cancel(self) -> None:
        """Gives it up. Does nothing once it has ended."""
        if self._onAnswer is not None:
            self._onAnswer = None
            self._abort()

    def _abort(self) -> None:
        """Ends the reply, which Qt allows once; it calls `_finished` from within."""
        if self._reply is None:
            self._finished()
        elif not self._aborted:
            self._aborted = True
            self._reply.abort()

    def _tooSlow(self) -> None:
        self._failure = Failure.TOO_SLOW
        self._abort()

    def _distrusted(self) -> None:
        self._failure = Failure.NOT_TRUSTED

    def _progressed(self, sent: int, total: int) -> None:
        # Qt says so once more, with zeros, when the answer begins.
        if total > 0 and self._onAnswer is not None and self._onProgress is not None:
            self._onProgress(sent, total)

    def _finished(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        onAnswer, self._onAnswer = self._onAnswer, None
        found = self._found()
        if self._reply is not None:
            self._reply.deleteLater()
            self._reply = None
        self._onEnd(self)
        if onAnswer is not None:
            onAnswer(found)

    def _found(self) -> Answer:
        if self._failure is not None:
            return Answer(0, failure=self._failure)
        error = int(self._reply.error())
        status = self._reply.attribute(qt.QNetworkRequest.HttpStatusCodeAttribute)
        if status is None or 0 < error < OF_HTTP:
            return Answer(0, failure=FAILURES.get(error, Failure.LOST))
        return Answer(int(status), bytes(self._reply.readAll().data()))


def _trust(outgoing: Any, certificates: str) -> bool:
    """Lets a request trust the certificates of a file, too; whether there are any."""
    configuration = qt.QSslConfiguration.defaultConfiguration()
    if not configuration.addCaCertificates(certificates):
        return False
    outgoing.setSslConfiguration(configuration)
    return True
