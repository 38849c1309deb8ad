"""The network in memory passes the contract that channels pass."""

from __future__ import annotations

import pytest

from cobot_session import Limits
from cobot_session.testing import ChannelCase, ChannelContract, FakeChannel, FakeWire


class TestFake(ChannelContract):
    @pytest.fixture
    def network(self) -> FakeChannel:
        return FakeChannel(limits=Limits(text=200, unit="utf16", files=1))

    @pytest.fixture
    def channel(self, network: FakeChannel) -> ChannelCase:
        return ChannelCase("fake", plugin=network.plugin)

    @pytest.fixture
    def wire(self, network: FakeChannel) -> FakeWire:
        return FakeWire(network)


@pytest.mark.slow
class TestIdempotentFake(TestFake):
    @pytest.fixture
    def network(self) -> FakeChannel:
        return FakeChannel(limits=Limits(idempotent=True, files=1))
