"""A FastAPI application with a session in its lifespan: people write, and so do programs.

uvicorn web:app --workers 1       # one process runs a workspace
curl --json '{"text": "deployed"}' http://127.0.0.1:8000/notify
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from cobot_session import AsyncSession, IncomingMessage


class Notice(BaseModel):
    """What a program wants said."""

    text: str


async def answer(message: IncomingMessage) -> str:
    """Return the answer to a message."""
    return f"You said: {message.content}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the session, and the agent on it, as long as the application runs."""
    async with AsyncSession() as session:
        app.state.session = session
        app.state.agent = asyncio.create_task(session.run(answer))
        try:
            yield
        finally:
            app.state.agent.cancel()
            with suppress(asyncio.CancelledError):
                await app.state.agent


app = FastAPI(lifespan=lifespan)


def running(request: Request) -> AsyncSession:
    """Return the session that runs."""
    session: AsyncSession = request.app.state.session
    return session


Running = Annotated[AsyncSession, Depends(running)]


@app.post("/notify")
async def notify(notice: Notice, session: Running) -> dict[str, str]:
    """Say it in every channel's default chat; return what became of it."""
    receipts = await session.broadcast(notice.text)
    return {channel: receipt.status for channel, receipt in receipts.items()}


@app.get("/health")
async def health(request: Request, session: Running, response: Response) -> dict[str, str]:
    """Return each channel's state; 503 when one has failed, or the agent has."""
    states = {name: status.state for name, status in session.status().items()}
    if request.app.state.agent.done() or "failed" in states.values():
        response.status_code = 503
    return dict(states)
