"""Strangers become acquainted: a code for them, and the owner's word on the command line."""

from cobot_session.pairing.desk import Desk

__all__ = ["Desk"]
