"""The command line: the table of commands, option types, exit codes."""
