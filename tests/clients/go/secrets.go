package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func playSecrets(vaultURL string, credential azcore.TokenCredential) {
	client := must(azsecrets.NewClient(vaultURL, credential, nil))
	name := fmt.Sprintf("go-%d", os.Getpid())
	tags := map[string]*string{"team": to.Ptr("blue")}
	expires := time.Unix(2_000_000_000, 0).UTC()
	named := func(found []*azsecrets.SecretProperties) bool {
		return slices.ContainsFunc(found, func(each *azsecrets.SecretProperties) bool { return each.ID.Name() == name })
	}

	step("secrets: set, get, list, update")
	one := azsecrets.SetSecretParameters{Value: to.Ptr("one"), ContentType: to.Ptr("text/plain"), Tags: tags}
	first := must(client.SetSecret(ctx, name, one, nil))
	two := azsecrets.SetSecretParameters{
		Value: to.Ptr("two"), SecretAttributes: &azsecrets.SecretAttributes{Expires: &expires},
	}
	second := must(client.SetSecret(ctx, name, two, nil))
	equal(*must(client.GetSecret(ctx, name, "", nil)).Value, "two")
	old := must(client.GetSecret(ctx, name, first.ID.Version(), nil))
	equal([]any{*old.Value, *old.ContentType, *old.Tags["team"]}, []any{"one", "text/plain", "blue"})
	equal(second.Attributes.Expires.UTC(), expires)
	equal(*second.Attributes.RecoveryLevel, "Recoverable+Purgeable")
	versions := collect(client.NewListSecretPropertiesVersionsPager(name, nil),
		func(page azsecrets.ListSecretPropertiesVersionsResponse) []*azsecrets.SecretProperties {
			return page.Value
		})
	equal(len(versions), 2)
	check(named(collect(client.NewListSecretPropertiesPager(nil),
		func(page azsecrets.ListSecretPropertiesResponse) []*azsecrets.SecretProperties { return page.Value })), "not listed")
	disabled := azsecrets.UpdateSecretPropertiesParameters{
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(false)},
	}
	must(client.UpdateSecretProperties(ctx, name, first.ID.Version(), disabled, nil))
	refused(client.GetSecret(ctx, name, first.ID.Version(), nil))(403, "Forbidden")

	step("secrets: backup, delete, recover, purge, restore")
	backup := must(client.BackupSecret(ctx, name, nil)).Value
	must(client.DeleteSecret(ctx, name, nil))
	refused(client.GetSecret(ctx, name, "", nil))(404, "SecretNotFound")
	equal(must(client.GetDeletedSecret(ctx, name, nil)).ID.Name(), name)
	deleted := collect(client.NewListDeletedSecretPropertiesPager(nil),
		func(page azsecrets.ListDeletedSecretPropertiesResponse) []*azsecrets.DeletedSecretProperties {
			return page.Value
		})
	check(slices.ContainsFunc(deleted, func(each *azsecrets.DeletedSecretProperties) bool { return each.ID.Name() == name }))
	must(client.RecoverDeletedSecret(ctx, name, nil))
	equal(*must(client.GetSecret(ctx, name, "", nil)).Value, "two")
	must(client.DeleteSecret(ctx, name, nil))
	must(client.PurgeDeletedSecret(ctx, name, nil))
	refused(client.GetDeletedSecret(ctx, name, nil))(404, "SecretNotFound")
	must(client.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: backup}, nil))
	equal(*must(client.GetSecret(ctx, name, "", nil)).Value, "two")

	step("secrets: a wrong client secret is refused")
	_, err := must(azsecrets.NewClient(vaultURL, credentialWith("wrong"), nil)).GetSecret(ctx, name, "", nil)
	check(err != nil, "a wrong secret signed in")
}
