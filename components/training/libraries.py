"""The versions that a training's numbers depend on: another one may round otherwise, and weights differ in their last digits."""

import platform
from importlib.metadata import PackageNotFoundError, version

# What draws, what augments, what trains (TensorFlow comes as one package or the other; NVIDIA's with the former), what exports.
_PACKAGES = (
    *("numpy", "opencv-python-headless", "tensorflow", "tensorflow-cpu", "keras"),
    *("nvidia-cudnn-cu12", "nvidia-cublas-cu12", "onnx", "onnxruntime"),
)


def library_versions() -> dict[str, str]:
    """Version of Python and of each library that made a model, by name: `python`, `tensorflow`, …"""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package.removesuffix("-cpu").removesuffix("-python-headless")] = version(package)
        except PackageNotFoundError:
            continue
    return found
