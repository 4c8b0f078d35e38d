"""Regularization terms of the critic: gradient penalties, consistency, LeCam."""
