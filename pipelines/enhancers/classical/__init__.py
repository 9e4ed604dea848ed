"""Restoration without trained weights: denoising, deblocking, deconvolution, exposure."""
