"""`python -m cobot_session.cli` is `cobot-session`."""

import sys

from cobot_session.cli import main

sys.exit(main())
