"""``python -m trigger``."""

from trigger.cli.app import main

raise SystemExit(main())
