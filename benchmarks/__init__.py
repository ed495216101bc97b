"""How fast Shipmark is, as ratios to floors that are measured beside it: `make bench`."""
