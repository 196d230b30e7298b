"""Boards made from records: load -> build -> render, a pure function of the records."""
