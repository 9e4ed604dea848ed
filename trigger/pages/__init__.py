"""HTML pages: the contact sheet and self-contained reports."""
