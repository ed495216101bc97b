"""Shipmark: a self-hosted Deployments API that finds which pull requests a deployment shipped."""
