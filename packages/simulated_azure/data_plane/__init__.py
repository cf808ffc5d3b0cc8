"""Services beside Azure Resource Manager: key vaults and the run history of Azure ML."""
