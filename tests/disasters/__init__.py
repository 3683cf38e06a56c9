"""Servers, runs and the app, killed at random: nothing is lost, nothing stands there twice."""
