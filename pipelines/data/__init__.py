"""The data's versions: sent, fetched, listed, compared and withdrawn, over DVC and git."""
