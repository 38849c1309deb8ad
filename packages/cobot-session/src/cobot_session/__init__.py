"""One session between an agent and every place where people talk to it."""
