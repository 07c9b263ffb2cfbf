"""What every layer computes with: devices, threads, kernels, optimisers, sampling."""
