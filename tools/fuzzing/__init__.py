"""What `nox -s fuzz` throws at everything that reads strangers' bytes."""
