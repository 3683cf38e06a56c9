"""What the ledger lets serve, brought to this machine's disk and loaded; without MLflow once it lies there."""
