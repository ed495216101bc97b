"""Charts: Vega-Lite specifications as plain data, and how they are drawn.

A chart is a module with a function from rows to a `specification.Chart`.
"""
