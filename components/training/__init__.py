"""What both trainers share: the loop, its schedule and checkpoints, and the way from a trained model to a bundle."""
