"""The plugin of the cobot agent: its `communication.*` extension points over a session of ours."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cobot_session.cobot_agent.agent import as_agent_message, as_our_message, context_of
from cobot_session.cobot_agent.gatekeeper import Gatekeeper, gatekeeper_of
from cobot_session.cobot_agent.reporting import AgentLog, SendReporter
from cobot_session.cobot_agent.settings import (
    BLOCK,
    settings_of,
    told_in_agents_words,
    with_workspace,
)
from cobot_session.cobot_agent.settling import Settling
from cobot_session.errors import ConfigError
from cobot_session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cobot_session.cobot_agent.agent import Context, Registry, WorkspacePlugin
    from cobot_session.cobot_agent.turns import Turn
    from cobot_session.config import Config

PLUGIN_ID = BLOCK


class Bridge:
    """All installed channels for the cobot agent.

    A message is acknowledged when the agent is done with it: together with its answer, in one
    transaction, or when its handling ends without one. No method waits for a channel.
    """

    _registry: Registry | None
    log: Callable[[str, str], None]
    call_extension_chain: Callable[[str, Context], Any]

    def __init__(self) -> None:
        self._config: Config | None = None
        self._debug = False
        self._session: Session | None = None
        self._gatekeeper: Gatekeeper | None = None
        self._agent_log: AgentLog | None = None
        self._agent_loop: asyncio.AbstractEventLoop | None = None
        self._settling: Settling | None = None

    # -- life

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take the agent's whole configuration.

        Raises:
            ConfigError: it has no block for this plugin, or that names a file that is none.
        """
        self._config = settings_of(config)
        self._debug = (config.get("logger") or {}).get("level") == "debug"

    async def start(self) -> None:
        """Start the channels; each connects by itself. Nothing happens when they run already.

        Raises:
            ConfigError: the channels' settings have mistakes; all of them are named.
            SpoolError: what is stored cannot be used; `SpoolBusy` names the process that uses it.
        """
        if self._session is not None or self._config is None:
            return
        config = with_workspace(self._config, self._folder())
        session = Session(config, plugins={"cobot_agent": lambda: SendReporter(self._report)})
        self._agent_log = AgentLog(self.log)
        self._agent_log.attach(debug=self._debug)
        try:
            await asyncio.to_thread(session.start)
        except ConfigError as error:
            self._agent_log.detach()
            raise told_in_agents_words(error, config) from None
        self._session = session
        self._settling = Settling(session, self.log)
        self._gatekeeper = gatekeeper_of(self._registry)
        self._tell_channels(session.channels())

    async def stop(self) -> None:
        """Send what can be sent, and stop the channels; what is not done comes again."""
        session, self._session = self._session, None
        if session is None or self._settling is None:
            return
        self._settling.close()
        await asyncio.to_thread(session.stop)
        if self._gatekeeper is not None:
            self._gatekeeper.close()
        if self._agent_log is not None:
            self._agent_log.detach()

    # -- communication.*

    def receive(self) -> list[Any]:
        """Return what has arrived, in the agent's type. Called by the loop, and never waits."""
        if self._session is None or self._settling is None:
            return []
        with contextlib.suppress(RuntimeError):
            self._agent_loop = asyncio.get_running_loop()
        turns = self._settling.poll()
        return [as_agent_message(turn.message, turn.id) for turn in turns if self._admits(turn)]

    def send(self, message: Any) -> bool:
        """Store a message of the agent; true when it is stored and its channel takes it.

        An answer to a message and that message's acknowledgement are stored together. That a
        stored message could not be delivered is told later, as `loop.on_error`.
        """
        session, settling = self._session, self._settling
        if session is None or settling is None or not self._is_ours(message.channel_type):
            return False
        ours = as_our_message(message)
        turn = settling.turn_of(message.channel_type, message.channel_id, message.reply_to)
        if turn is not None:
            if not turn.answered:
                return settling.answer(turn, ours)
            ours.reply_to = turn.message.id
        receipt = session.send(ours, timeout=0)
        if not receipt:
            self.log("error", f"{message.channel_type}: {receipt.error}")
        return bool(receipt)

    def typing(self, channel_type: str, channel_id: str) -> None:
        """Show, once, that an answer is being written."""
        if self._session is not None:
            self._session.typing(channel_type, channel_id)

    def channels(self) -> list[str]:
        """Return the names of the channels that run."""
        return self._session.channels() if self._session is not None else []

    # -- as of the agent's own session plugin

    def presence(self, status: str) -> None:
        """Show `online`, `away`, `busy` or `offline` on all channels that can."""
        if self._session is not None:
            self._session.presence(status)

    def broadcast(self, content: str, exclude_channel: str | None = None) -> int:
        """Send to every channel's default chat; return how many took it."""
        if self._session is None:
            return 0
        receipts = self._session.broadcast(content, exclude_channel, timeout=0)
        return sum(map(bool, receipts.values()))

    # -- loop.on_message

    async def on_message(self, context: Context) -> Context:
        """See that the agent begins to handle a message, and be told when it is done."""
        task = asyncio.current_task()
        if self._session is not None and self._settling is not None and task is not None:
            place = context.get("channel_type", ""), context.get("channel_id", "")
            if turn := self._settling.turn_of(*place, context.get("event_id")):
                self._settling.begin(turn, task)
        return context

    # -- inside

    def _folder(self) -> Path:
        """Return where to keep things unless told: in the agent's workspace."""
        workspace: WorkspacePlugin | None = None
        if self._registry is not None:
            workspace = self._registry.get("workspace")
        if workspace is None:
            return Path.home() / ".cobot" / "workspace" / BLOCK
        return workspace.get_path(BLOCK)

    def _tell_channels(self, names: list[str]) -> None:
        self.log("info" if names else "warn", f"Channels: {', '.join(names) or 'none'}")
        for name in names:
            if self._registry is not None and self._registry.get(name) is not None:
                advice = f"add `{name}` to `plugins.disabled`"
                self.log("warn", f"the agent's own plugin `{name}` runs, too: {advice}")

    def _is_ours(self, channel_type: str) -> bool:
        """Tell whether a channel is one of the session, also of those that do not run."""
        session = self._session
        return session is not None and (not channel_type or channel_type in session.status())

    def _admits(self, turn: Turn) -> bool:
        """Ask the agent's pairing plugin; what it refuses is done with."""
        if self._gatekeeper is None or self._settling is None:
            return True
        try:
            if self._gatekeeper.lets_in(context_of(turn.message, turn.id)):
                return True
        except Exception as error:  # noqa: BLE001 - the agent's code, and a gate: it stays shut
            self._settling.put_back(turn, f"pairing failed: {error!r}")
            return False
        self._settling.settle(turn)
        return False

    def _report(self, failure: str) -> None:
        """Tell the agent's plugins of a failure, on its loop; in any thread."""
        loop = self._agent_loop
        if loop is None:
            self.log("error", failure)
            return
        told = self.call_extension_chain("loop.on_error", {"error": failure, "hook": "send"})
        try:
            asyncio.run_coroutine_threadsafe(told, loop)
        except RuntimeError:  # it does not run any more
            told.close()
            self.log("error", failure)
