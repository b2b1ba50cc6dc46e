"""Diffusion models and flow matching: trained on images, judged by their samples at several numbers of evaluations."""
