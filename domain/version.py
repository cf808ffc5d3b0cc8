"""The version of the product and of the contract it serves; pyproject.toml and the tests agree with them."""

VERSION = "0.2.0"
API_VERSION = "1.0"
