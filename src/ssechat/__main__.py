"""`python -m ssechat` is `ssechat`."""

import sys

from ssechat.cli import main

sys.exit(main())
