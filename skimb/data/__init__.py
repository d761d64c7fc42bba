"""Training data: tables with categories and gaps."""
