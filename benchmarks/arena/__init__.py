"""Contenders on many tables with a rare class: :mod:`benchmarks.quality` runs it.

``tables`` reads data, ``peers`` makes contenders, ``run`` measures and keeps results, ``report``
compares families of tables.
"""
