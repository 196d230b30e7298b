"""Sweeps: a grid of runs as one folder, carried out by a launcher. Needs no torch.

``plan`` makes the runs, ``manifest`` keeps them, ``status`` says how each of them stands,
``launcher`` is what starts them (``local``, ``slurm``), ``work`` what a launcher starts.
"""
