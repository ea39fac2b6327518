// Every operation of secrets and keys by the unmodified Go clients, challenge verification on. Ends with 0 when all did.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

var ctx = context.Background()

func main() {
	playSecrets(os.Getenv("VAULT_URL"), credentialWith(os.Getenv("AZURE_CLIENT_SECRET")))
	playKeys(os.Getenv("VAULT_URL"), credentialWith(os.Getenv("AZURE_CLIENT_SECRET")))
}

// credentialWith returns the credential as a user writes it. What a rehearsal server takes is DisableInstanceDiscovery:
// without it the client would ask the public cloud whether our sign-in host is one of its.
func credentialWith(secret string) azcore.TokenCredential {
	options := azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true}
	options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: os.Getenv("AZURE_AUTHORITY_HOST")}
	tenant, client := os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID")
	return must(azidentity.NewClientSecretCredential(tenant, client, secret, &options))
}

func step(title string) { fmt.Println(title) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(is bool, said ...any) {
	if !is {
		panic(fmt.Sprint(said...))
	}
}

func equal(found, wanted any) {
	check(reflect.DeepEqual(found, wanted), "found ", found, " instead of ", wanted)
}

// refused checks that an error is the service's, with its status and code.
func refused[T any](_ T, err error) func(status int, code string) {
	return func(status int, code string) {
		var answer *azcore.ResponseError
		check(errors.As(err, &answer), "no answer of the service: ", err)
		equal([]any{answer.StatusCode, answer.ErrorCode}, []any{status, code})
	}
}

func collect[P, I any](pager *runtime.Pager[P], items func(P) []*I) []*I {
	found := []*I{}
	for pager.More() {
		found = append(found, items(must(pager.NextPage(ctx)))...)
	}
	return found
}
