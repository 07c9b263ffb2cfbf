"""The layer of small sine networks (SIREN, Sitzmann et al. 2020)."""
