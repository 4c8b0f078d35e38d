"""A trained model in use: loading, sampling, latent space, writing."""
