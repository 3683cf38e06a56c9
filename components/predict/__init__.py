"""One answer to one image by a pair of bundles: the web app and `dermacare predict` both come through here.

Nothing here imports pandas, MLflow or TensorFlow, so that the process that serves stays small.
"""
