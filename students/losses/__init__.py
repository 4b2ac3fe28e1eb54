"""Losses that TRL lacks, one a file, each as plain functions of tensors."""
