"""AKS and Azure Arc clusters, their extensions, and what a region offers for them."""
