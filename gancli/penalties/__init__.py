"""Regularization terms of the critic: gradient penalties, consistency regularization, drift, LeCam."""
