"""The web app's server: FastAPI over the models that the ledger says serve."""
