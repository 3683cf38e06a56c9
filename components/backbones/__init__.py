"""Networks that see an image: what a classifier puts its head on and a segmenter its decoder, with their published weights.

`registry` knows them by name, `weights` is where a training's weights come from. Importing these two is cheap; the networks' own
files import TensorFlow.
"""
