"""HTML pages from templates: the contact sheet, and the frame that all reports share."""

from trigger.pages.page import Picture, embed, render

__all__ = ["Picture", "embed", "render"]
