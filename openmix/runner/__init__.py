"""Training: one config in, one record out."""
