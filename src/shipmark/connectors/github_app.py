"""Ask GitHub as an App: with the tokens of its installations, got as they are needed."""

import threading

from shipmark.connectors import github_auth
from shipmark.connectors.forge_errors import ForgeError, ForgeRefused
from shipmark.connectors.transport import Caller, Transport


class AppCallers:
    """Who asks for a GitHub App: the installation of the account that has the repository."""

    def __init__(self, transport: Transport, app_id: str, private_key: str) -> None:
        self._transport = transport
        self._app_id = app_id
        self._private_key = private_key
        self._installations: dict[str, int] = {}
        self._tokens: dict[int, github_auth.InstallationToken] = {}
        self._asking = threading.Lock()

    def __call__(self, name: str) -> Caller:
        """The caller for a repository. Raises ForgeError, ForgeRefused where no installation
        of the App has it."""
        with self._asking:
            installation = self._installation_of(name)
            token = self._token_of(installation)
        return Caller(name=f"installation {installation}", headers=github_auth.bearer(token))

    def _installation_of(self, name: str) -> int:
        owner = name.partition("/")[0].casefold()
        if owner not in self._installations:
            found = self._transport.hold(github_auth.installation_of(name), self.itself())
            if found is None:
                raise ForgeRefused(f"The GitHub App is not installed where it could see {name}.")
            self._installations[owner] = found
        return self._installations[owner]

    def _token_of(self, installation: int) -> str:
        now = self._transport.now()
        token = self._tokens.get(installation)
        if token is None or not token.is_good(now):
            asking = github_auth.installation_token(installation)
            try:
                token = self._transport.hold(asking, self.itself())
            except ForgeError:
                # It may have been taken away and made anew, with another id.
                self._installations.clear()
                raise
            self._tokens[installation] = token
        return token.token

    def itself(self) -> Caller:
        """The App, which belongs to no installation."""
        signed = github_auth.app_token(self._app_id, self._private_key, self._transport.now())
        return Caller(name="app", headers=github_auth.bearer(signed))
