"""How good the models are on real skin: a command for each row of docs/results.md. It needs $DERMACARE_REAL_DATA, and hours."""
