"""Diffusion models and flow matching: of images, and of points whose law is known."""
