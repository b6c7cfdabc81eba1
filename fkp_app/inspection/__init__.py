"""Pictures of what a network does with one face: activations, gradients, saliency, filters, heat maps."""
