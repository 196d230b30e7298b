"""A board as text, CSV, Markdown and HTML; all say the same, in the words of ``words``."""
