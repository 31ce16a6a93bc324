"""Clinch: an open, self-hosted CRM that speaks the public REST API of Close."""

__version__ = "0.1.0"
