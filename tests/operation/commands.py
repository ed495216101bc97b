"""Commands of the command line, run as `shipmark` runs them, without starting Python anew."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import structlog

from shipmark.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class CommandLine:
    """Runs commands in an environment. ``more`` are variables for one of them."""

    environment: Mapping[str, str]
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, **more: str) -> Done:
        with self.monkeypatch.context() as patched:
            for name, value in {**self.environment, **more}.items():
                patched.setenv(name, value)
            # Some commands say where logs go; after them they go where they went before.
            patched.setattr(logging.root, "handlers", list(logging.root.handlers))
            patched.setattr(logging.root, "level", logging.root.level)
            patched.setattr(sys, "argv", ["shipmark", *arguments])
            self.capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            structlog.reset_defaults()
            said = self.capsys.readouterr()
        return Done(ended.value.code, said.out, said.err)

    def run(self, *arguments: str, **more: str) -> Done:
        """Run a command that must succeed."""
        done = self(*arguments, **more)
        assert done.code == 0, done.stderr
        return done

    def fail(self, *arguments: str, **more: str) -> Done:
        """Run a command that must be refused, with nothing but words on standard error."""
        done = self(*arguments, **more)
        assert (done.code in (1, 2), done.stdout) == (True, ""), done
        return done
