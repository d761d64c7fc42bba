"""One fit as plain functions: `procedure.fit_network` is the table of contents."""
