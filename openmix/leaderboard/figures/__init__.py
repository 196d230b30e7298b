"""Figures of a board as inline SVG; a style sheet gives them their colours, light and dark."""
