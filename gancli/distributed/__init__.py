"""Distributed training: ranks, process group, synchronized batch norm."""
