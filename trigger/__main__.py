"""``python -m trigger``."""

from trigger.cli.app import run

run()
