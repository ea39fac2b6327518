package main

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512
	"fmt"
	"math/big"
	"os"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

var plain = []byte(os.Getenv("CANARY"))

// keys is the client with what is asked of it most.
type keys struct {
	*azkeys.Client
	made int
}

func (k *keys) name() string {
	k.made++
	return fmt.Sprintf("go-key-%d-%d", os.Getpid(), k.made)
}

func (k *keys) create(name string, parameters azkeys.CreateKeyParameters) azkeys.KeyBundle {
	return must(k.CreateKey(ctx, name, parameters, nil)).KeyBundle
}

func (k *keys) sign(key *azkeys.JSONWebKey, algorithm azkeys.SignatureAlgorithm, digest []byte) []byte {
	asked := azkeys.SignParameters{Algorithm: &algorithm, Value: digest}
	return must(k.Sign(ctx, key.KID.Name(), key.KID.Version(), asked, nil)).Result
}

func (k *keys) verify(key *azkeys.JSONWebKey, algorithm azkeys.SignatureAlgorithm, digest, signature []byte) bool {
	asked := azkeys.VerifyParameters{Algorithm: &algorithm, Digest: digest, Signature: signature}
	return *must(k.Verify(ctx, key.KID.Name(), key.KID.Version(), asked, nil)).Value
}

func playKeys(vaultURL string, credential azcore.TokenCredential) {
	client := &keys{Client: must(azkeys.NewClient(vaultURL, credential, nil))}
	client.live()
	client.encryptByRSA()
	client.signByRSA()
	client.signByCurves()
	client.encryptByAES()
	client.refuse()
}

func (k *keys) live() {
	step("keys: create, get, list, update")
	name := k.name()
	tags := map[string]*string{"team": to.Ptr("blue")}
	p384 := azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP384), Tags: tags}
	first := k.create(name, p384)
	equal([]any{*first.Key.Kty, *first.Key.Crv, *first.Tags["team"]}, []any{azkeys.KeyTypeEC, azkeys.CurveNameP384, "blue"})
	rsa3072 := azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr(int32(3072))}
	second := k.create(name, rsa3072)
	equal(len(second.Key.N), 384)
	equal(*must(k.GetKey(ctx, name, "", nil)).Key.KID, *second.Key.KID)
	equal(must(k.GetKey(ctx, name, first.Key.KID.Version(), nil)).Key.X, first.Key.X)
	for _, each := range []azkeys.KeyBundle{first, second} {
		asked := must(k.GetKeyAttestation(ctx, name, each.Key.KID.Version(), nil))
		equal([]any{*asked.Key.KID, asked.Attributes.Attestation == nil}, []any{*each.Key.KID, true})
	}
	equal(*must(k.GetKeyAttestation(ctx, name, "", nil)).Key.KID, *second.Key.KID)
	edit := azkeys.UpdateKeyParameters{KeyOps: []*azkeys.KeyOperation{to.Ptr(azkeys.KeyOperationVerify)}}
	edited := must(k.UpdateKey(ctx, name, first.Key.KID.Version(), edit, nil))
	equal([]any{len(edited.Key.KeyOps), *edited.Key.KeyOps[0]}, []any{1, azkeys.KeyOperationVerify})
	listed := collect(k.NewListKeyPropertiesPager(nil),
		func(page azkeys.ListKeyPropertiesResponse) []*azkeys.KeyProperties { return page.Value })
	check(slices.ContainsFunc(listed, func(each *azkeys.KeyProperties) bool { return each.KID.Name() == name }), "not listed")

	step("keys: rotation policy, rotate")
	lifetime := azkeys.LifetimeAction{
		Action:  &azkeys.LifetimeActionType{Type: to.Ptr(azkeys.KeyRotationPolicyActionRotate)},
		Trigger: &azkeys.LifetimeActionTrigger{TimeBeforeExpiry: to.Ptr("P30D")},
	}
	policy := azkeys.KeyRotationPolicy{
		Attributes:      &azkeys.KeyRotationPolicyAttributes{ExpiryTime: to.Ptr("P90D")},
		LifetimeActions: []*azkeys.LifetimeAction{&lifetime},
	}
	must(k.UpdateKeyRotationPolicy(ctx, name, policy, nil))
	told := must(k.GetKeyRotationPolicy(ctx, name, nil))
	equal(*told.Attributes.ExpiryTime, "P90D")
	rotated := must(k.RotateKey(ctx, name, nil))
	equal(rotated.Attributes.Expires.Sub(*rotated.Attributes.Created).Hours(), 90*24.0)
	versions := collect(k.NewListKeyPropertiesVersionsPager(name, nil),
		func(page azkeys.ListKeyPropertiesVersionsResponse) []*azkeys.KeyProperties { return page.Value })
	equal(len(versions), 3)

	step("keys: backup, delete, recover, purge, restore")
	backup := must(k.BackupKey(ctx, name, nil)).Value
	must(k.DeleteKey(ctx, name, nil))
	refused(k.GetKey(ctx, name, "", nil))(404, "KeyNotFound")
	equal(*must(k.GetDeletedKey(ctx, name, nil)).Key.KID, *rotated.Key.KID)
	deleted := collect(k.NewListDeletedKeyPropertiesPager(nil),
		func(page azkeys.ListDeletedKeyPropertiesResponse) []*azkeys.DeletedKeyProperties { return page.Value })
	check(slices.ContainsFunc(deleted, func(each *azkeys.DeletedKeyProperties) bool { return each.KID.Name() == name }))
	must(k.RecoverDeletedKey(ctx, name, nil))
	must(k.DeleteKey(ctx, name, nil))
	must(k.PurgeDeletedKey(ctx, name, nil))
	refused(k.GetDeletedKey(ctx, name, nil))(404, "KeyNotFound")
	restored := must(k.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: backup}, nil))
	equal(*restored.Key.KID, *rotated.Key.KID)
	refused(k.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: backup}, nil))(409, "Conflict")
}

func (k *keys) encryptByRSA() {
	step("keys: the server opens what Go's own library sealed, and what it sealed itself")
	key := k.create(k.name(), azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA)}).Key
	public := publicRSA(key)
	own := map[azkeys.EncryptionAlgorithm][]byte{
		azkeys.EncryptionAlgorithmRSA15:      must(rsa.EncryptPKCS1v15(rand.Reader, public, plain)),
		azkeys.EncryptionAlgorithmRSAOAEP:    must(rsa.EncryptOAEP(sha1.New(), rand.Reader, public, plain, nil)),
		azkeys.EncryptionAlgorithmRSAOAEP256: must(rsa.EncryptOAEP(sha256.New(), rand.Reader, public, plain, nil)),
	}
	name, version := key.KID.Name(), key.KID.Version()
	for algorithm, sealed := range own {
		asked := func(value []byte) azkeys.KeyOperationParameters {
			return azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: value}
		}
		equal(must(k.Decrypt(ctx, name, version, asked(sealed), nil)).Result, plain)
		equal(must(k.UnwrapKey(ctx, name, version, asked(sealed), nil)).Result, plain)
		sealed = must(k.Encrypt(ctx, name, version, asked(plain), nil)).Result
		equal(must(k.Decrypt(ctx, name, version, asked(sealed), nil)).Result, plain)
		wrapped := must(k.WrapKey(ctx, name, version, asked(plain), nil)).Result
		equal(must(k.UnwrapKey(ctx, name, version, asked(wrapped), nil)).Result, plain)
	}
}

func (k *keys) signByRSA() {
	step("keys: RSA signatures are verified by the server and by Go's own library, made by either")
	private := must(rsa.GenerateKey(rand.Reader, 2048))
	brought := azkeys.JSONWebKey{
		Kty: to.Ptr(azkeys.KeyTypeRSA), N: private.N.Bytes(), E: big.NewInt(int64(private.E)).Bytes(), D: private.D.Bytes(),
		P: private.Primes[0].Bytes(), Q: private.Primes[1].Bytes(),
		DP: private.Precomputed.Dp.Bytes(), DQ: private.Precomputed.Dq.Bytes(), QI: private.Precomputed.Qinv.Bytes(),
	}
	key := must(k.ImportKey(ctx, k.name(), azkeys.ImportKeyParameters{Key: &brought}, nil)).Key
	check(key.D == nil && key.P == nil, "what is private was told")
	salted := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	for bits, hash := range hashes {
		digest, other := sum(hash, plain), sum(hash, []byte("other"))
		rs, ps := azkeys.SignatureAlgorithm("RS"+bits), azkeys.SignatureAlgorithm("PS"+bits)
		signed := k.sign(key, rs, digest)
		equal(signed, must(rsa.SignPKCS1v15(rand.Reader, private, hash, digest)))
		equal([]bool{k.verify(key, rs, digest, signed), k.verify(key, rs, other, signed)}, []bool{true, false})
		check(rsa.VerifyPSS(&private.PublicKey, hash, digest, k.sign(key, ps, digest), salted) == nil, ps)
		own := must(rsa.SignPSS(rand.Reader, private, hash, digest, salted))
		equal([]bool{k.verify(key, ps, digest, own), k.verify(key, ps, other, own)}, []bool{true, false})
	}
}

func (k *keys) signByCurves() {
	step("keys: signatures by curves are verified by the server and by Go's own library, made by either")
	for algorithm, curve := range curves {
		private := must(ecdsa.GenerateKey(curve, rand.Reader))
		name := azkeys.CurveName(curve.Params().Name)
		length := (curve.Params().BitSize + 7) / 8
		point := must(private.PublicKey.Bytes())[1:]
		brought := azkeys.JSONWebKey{
			Kty: to.Ptr(azkeys.KeyTypeEC), Crv: &name, X: point[:length], Y: point[length:], D: must(private.Bytes()),
		}
		key := must(k.ImportKey(ctx, k.name(), azkeys.ImportKeyParameters{Key: &brought}, nil)).Key
		digest := sum(hashes[map[string]string{"ES256": "256", "ES384": "384", "ES512": "512"}[string(algorithm)]], plain)
		signed := k.sign(key, algorithm, digest)
		equal(len(signed), 2*length)
		r, s := new(big.Int).SetBytes(signed[:length]), new(big.Int).SetBytes(signed[length:])
		check(ecdsa.Verify(&private.PublicKey, digest, r, s), algorithm)
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		check(err == nil, err)
		own := append(r.FillBytes(make([]byte, length)), s.FillBytes(make([]byte, length))...)
		equal(k.verify(key, algorithm, digest, own), true)
		own[0] ^= 1
		equal(k.verify(key, algorithm, digest, own), false)
	}
	// Go's library does not know this curve: the server alone.
	asked := azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP256K)}
	key := k.create(k.name(), asked).Key
	digest := sum(crypto.SHA256, plain)
	signed := k.sign(key, azkeys.SignatureAlgorithmES256K, digest)
	equal(k.verify(key, azkeys.SignatureAlgorithmES256K, digest, signed), true)
}

func (k *keys) encryptByAES() {
	step("keys: AES-GCM, alike here and there")
	raw, aad := make([]byte, 32), []byte("additional")
	must(rand.Read(raw))
	brought := azkeys.JSONWebKey{Kty: to.Ptr(azkeys.KeyTypeOctHSM), K: raw}
	key := must(k.ImportKey(ctx, k.name(), azkeys.ImportKeyParameters{Key: &brought, HSM: to.Ptr(true)}, nil)).Key
	check(key.K == nil, "what is private was told")
	name, version, algorithm := key.KID.Name(), key.KID.Version(), azkeys.EncryptionAlgorithmA256GCM
	gcm := must(cipher.NewGCM(must(aes.NewCipher(raw))))
	asked := azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: plain, AdditionalAuthenticatedData: aad}
	sealed := must(k.Encrypt(ctx, name, version, asked, nil))
	equal(must(gcm.Open(nil, sealed.IV, append(sealed.Result, sealed.AuthenticationTag...), aad)), plain)
	nonce := make([]byte, 12)
	must(rand.Read(nonce))
	own := gcm.Seal(nil, nonce, plain, aad)
	asked.Value, asked.AuthenticationTag, asked.IV = own[:len(plain)], own[len(plain):], nonce
	equal(must(k.Decrypt(ctx, name, version, asked, nil)).Result, plain)
	asked.AuthenticationTag[0] ^= 1
	refused(k.Decrypt(ctx, name, version, asked, nil))(400, "BadParameter")
}

func (k *keys) refuse() {
	step("keys: what a key may not do is refused, with the service's code")
	asked := azkeys.CreateKeyParameters{
		Kty: to.Ptr(azkeys.KeyTypeEC), KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(false)},
	}
	disabled := k.create(k.name(), asked).Key
	signing := azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: sum(crypto.SHA256, plain)}
	refused(k.Sign(ctx, disabled.KID.Name(), "", signing, nil))(403, "Forbidden")
	refused(k.Sign(ctx, "none", "", signing, nil))(404, "KeyNotFound")
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

var curves = map[azkeys.SignatureAlgorithm]elliptic.Curve{
	azkeys.SignatureAlgorithmES256: elliptic.P256(),
	azkeys.SignatureAlgorithmES384: elliptic.P384(),
	azkeys.SignatureAlgorithmES512: elliptic.P521(),
}

func sum(hash crypto.Hash, said []byte) []byte {
	digest := hash.New()
	digest.Write(said)
	return digest.Sum(nil)
}

func publicRSA(key *azkeys.JSONWebKey) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBytes(key.N), E: int(new(big.Int).SetBytes(key.E).Int64())}
}
