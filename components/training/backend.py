"""Keras, imported under the settings that make it fast; every file of ours that needs Keras takes it from here.

oneDNN is off by default on some processors and trains a ResNet about three times faster. It is read once, when TensorFlow is
imported, so it must be set before that. A GPU's memory is taken as it is needed, not whole.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from keras import layers, ops

__all__ = ["keras", "layers", "ops"]
