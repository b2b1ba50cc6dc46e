"""One table model, three renderers, figures."""
