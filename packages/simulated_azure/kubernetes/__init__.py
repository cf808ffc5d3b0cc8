"""The Kubernetes API of every managed cluster: kubeconfigs, access, objects, and what an extension brings."""
