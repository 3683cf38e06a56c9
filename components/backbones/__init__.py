"""Networks that see an image: what a classifier puts its head on and a segmenter its decoder, with their published weights.

Importing the package is cheap; its files import TensorFlow, but for `torch_file`.
"""
