"""The graph of the steps, drawn over them."""
