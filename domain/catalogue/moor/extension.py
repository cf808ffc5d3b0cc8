"""What Moor itself finds wrong with an extension: its settings, and the secrets they refer to."""

from __future__ import annotations

from domain.catalogue.entry import AT_CLUSTER, DEPLOY_GUIDE, MOOR, Entry

_SECRET = "az keyvault secret show --vault-name {vault} --name {secret} --query attributes"  # noqa: S105 - a command
_UNREADABLE = "The secret {secret_id} for {setting} cannot be read: {said}"

ENTRIES = (
    Entry(
        code="ProtectedSettingsLost",
        situations=(MOOR,),
        cause="The change would lose {lost}: protected settings are replaced as a whole, and cannot be read back.",
        remedy="Name them, too, as ids of Key Vault secrets under configurationProtectedSettings.",
        command=f"az k8s-extension show --name {{extension}} {AT_CLUSTER}",
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="TlsSecretNotKept",
        situations=(MOOR,),
        cause="The certificate in v1's secret azuremlfessl of cluster {cluster} cannot be kept: {said}.",
        remedy="Put certificate and key into Key Vault and name them in the request, or remove the cause; then retry.",
        command="kubectl get secret azuremlfessl --namespace default --output jsonpath={.type}",
    ),
    Entry(
        code="ExtensionDiffers",
        situations=(MOOR,),
        cause="The cluster has the extension already, but not as needed: {difference}.",
        remedy="Update the extension's settings, or attach with manage=update; then start the attach again.",
        command=f"az k8s-extension update --name {{extension}} {AT_CLUSTER} --configuration-settings {{settings}}",
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="ExtensionMissing",
        situations=(MOOR,),
        cause="Cluster {cluster} lacks the extension Microsoft.AzureML.Kubernetes; the request says not to install it.",
        remedy="Install the extension, or start the attach again with manage=ensure.",
        command=f"az k8s-extension list {AT_CLUSTER} --output table",
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="ExtensionLeftFailed",
        situations=(MOOR,),
        cause="Cluster {cluster} has an extension {extension} that had failed before this operation, and a failed "
        "extension does not recover. Its failure then: {history}",
        remedy="Delete the failed extension, then start the attach again; with manage=update Moor does both while "
        "nothing relies on it.",
        command=f"az k8s-extension delete --name {{extension}} {AT_CLUSTER} --yes",
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="ExtensionSettingsRefused",
        situations=(MOOR,),
        cause="The extension's settings do not go with cluster {cluster}: {reasons}",
        remedy="Change the settings, then start the attach again.",
        command="kubectl get nodes --show-labels",
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="TlsMaterialUnusable",
        situations=(MOOR,),
        cause="The certificate and key for the router cannot be used: {reasons}",
        remedy="Put the whole chain (server, intermediate, root) and its key into the vault, in PEM and without pass "
        "phrase; then start the attach again.",
        command="openssl x509 -in cert.pem -noout -subject -issuer -enddate -ext subjectAltName",
        documentation=DEPLOY_GUIDE,
    ),
    Entry(
        code="SecretNotFound",
        situations=(MOOR,),
        cause=_UNREADABLE,
        remedy="Put the secret into the vault, or correct its id; then start the attach again.",
        command=_SECRET,
    ),
    Entry(
        code="SecretDisabled",
        situations=(MOOR,),
        cause=_UNREADABLE,
        remedy="Enable the secret, or name another version of it; then start the attach again.",
        command=_SECRET,
    ),
    Entry(
        code="VaultForbidden",
        situations=(MOOR,),
        cause=_UNREADABLE,
        remedy="Grant the app's identity Key Vault Secrets User on the vault (with access policies: Get on secrets), "
        "and let it through the vault's firewall; then start the attach again.",
        command='az role assignment create --role "Key Vault Secrets User" --assignee {moor_principal} '
        "--scope $(az keyvault show --name {vault} --query id --output tsv)",
        documentation="https://learn.microsoft.com/azure/key-vault/general/rbac-guide",
    ),
    Entry(
        code="ForeignVault",
        situations=(MOOR,),
        cause=_UNREADABLE,
        remedy="Use a key vault of the cloud that the app works in: the app sends no token to another.",
        command="az cloud show --query suffixes.keyvaultDns",
    ),
    Entry(
        code="SecretRefused",
        situations=(MOOR,),
        cause=_UNREADABLE,
        remedy="Look at the secret as the app's identity would; then start the attach again.",
        command=_SECRET,
    ),
)
