"""What is measured of a trained diffusion model: its samples, its likelihood, how well it takes images back."""
