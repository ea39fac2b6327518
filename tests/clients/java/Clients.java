// Every operation of secrets and keys by the unmodified Java clients, challenge verification on. Ends with 0 when all did.

import com.azure.core.credential.TokenCredential;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.util.Context;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.security.keyvault.keys.KeyClient;
import com.azure.security.keyvault.keys.KeyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.CryptographyClient;
import com.azure.security.keyvault.keys.cryptography.CryptographyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.models.DecryptParameters;
import com.azure.security.keyvault.keys.cryptography.models.EncryptParameters;
import com.azure.security.keyvault.keys.cryptography.models.EncryptResult;
import com.azure.security.keyvault.keys.cryptography.models.EncryptionAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.ImportKeyOptions;
import com.azure.security.keyvault.keys.models.JsonWebKey;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyRotationLifetimeAction;
import com.azure.security.keyvault.keys.models.KeyRotationPolicy;
import com.azure.security.keyvault.keys.models.KeyRotationPolicyAction;
import com.azure.security.keyvault.keys.models.KeyType;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import com.azure.security.keyvault.secrets.SecretClient;
import com.azure.security.keyvault.secrets.SecretClientBuilder;
import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

public final class Clients {
    private static final Map<String, String> ENVIRON = System.getenv();
    private static final byte[] PLAIN = ENVIRON.get("CANARY").getBytes(StandardCharsets.UTF_8);
    private static final byte[] OTHER = "other".getBytes(StandardCharsets.UTF_8);
    private static final Duration POLLING = Duration.ofMillis(100);
    private static final Map<String, KeyCurveName> CURVES = Map.of(
        "ES256", KeyCurveName.P_256, "ES384", KeyCurveName.P_384, "ES512", KeyCurveName.P_521,
        "ES256K", KeyCurveName.P_256K);

    private final TokenCredential credential = credentialWith(ENVIRON.get("AZURE_CLIENT_SECRET"));
    private final KeyClient keys =
        new KeyClientBuilder().vaultUrl(ENVIRON.get("VAULT_URL")).credential(credential).buildClient();
    private int made;

    public static void main(String[] arguments) throws GeneralSecurityException {
        Clients clients = new Clients();
        clients.secretsLive();
        clients.keysLive();
        clients.keysEncrypt();
        clients.keysSign();
        clients.keysSignForTheirMaker();
        clients.keysOfAesEncrypt();
        clients.keysRefuse();
        System.exit(0); // the client's threads would wait a minute for more
    }

    /** As a user writes it. Without the last word the client would ask the public cloud whether our host is one of its. */
    private static TokenCredential credentialWith(String secret) {
        return new ClientSecretCredentialBuilder()
            .tenantId(ENVIRON.get("AZURE_TENANT_ID")).clientId(ENVIRON.get("AZURE_CLIENT_ID")).clientSecret(secret)
            .authorityHost(ENVIRON.get("AZURE_AUTHORITY_HOST")).disableInstanceDiscovery().build();
    }

    private static SecretClient secretsWith(TokenCredential credential) {
        return new SecretClientBuilder().vaultUrl(ENVIRON.get("VAULT_URL")).credential(credential).buildClient();
    }

    private static void step(String title) {
        System.out.println(title);
    }

    private static void equal(Object found, Object wanted) {
        if (!Objects.deepEquals(found, wanted)) {
            throw new AssertionError("found " + found + " instead of " + wanted);
        }
    }

    private static void refused(int status, String code, Runnable act) {
        try {
            act.run();
        } catch (HttpResponseException refusal) {
            equal(refusal.getResponse().getStatusCode(), status);
            equal(refusal.getMessage().contains(code), true);
            return;
        }
        throw new AssertionError("it was not refused");
    }

    private String newName() {
        return "java-" + ProcessHandle.current().pid() + "-" + made++;
    }

    // --- who does the work: the client by itself, or the server

    private static CryptographyClient alone(JsonWebKey key) {
        return new CryptographyClientBuilder().jsonWebKey(key).buildClient();
    }

    private CryptographyClient remote(KeyVaultKey key) {
        return new CryptographyClientBuilder().keyIdentifier(key.getId()).credential(credential).disableKeyCaching()
            .buildClient();
    }

    // --- what is done

    private void secretsLive() {
        SecretClient secrets = secretsWith(credential);
        String name = newName();
        step("secrets: set, get, list, update");
        SecretProperties said = new SecretProperties().setContentType("text/plain").setTags(Map.of("team", "blue"));
        KeyVaultSecret first = secrets.setSecret(new KeyVaultSecret(name, "one").setProperties(said));
        secrets.setSecret(name, "two");
        equal(secrets.getSecret(name).getValue(), "two");
        KeyVaultSecret old = secrets.getSecret(name, first.getProperties().getVersion());
        equal(List.of(old.getValue(), old.getProperties().getContentType(), old.getProperties().getTags()),
            List.of("one", "text/plain", Map.of("team", "blue")));
        equal(secrets.listPropertiesOfSecretVersions(name).stream().count(), 2L);
        equal(secrets.listPropertiesOfSecrets().stream().anyMatch(each -> each.getName().equals(name)), true);
        secrets.updateSecretProperties(old.getProperties().setEnabled(false));
        refused(403, "SecretDisabled", () -> secrets.getSecret(name, first.getProperties().getVersion()));

        step("secrets: backup, delete, recover, purge, restore");
        byte[] backup = secrets.backupSecret(name);
        secrets.beginDeleteSecret(name).setPollInterval(POLLING).waitForCompletion();
        refused(404, "SecretNotFound", () -> secrets.getSecret(name));
        equal(secrets.getDeletedSecret(name).getName(), name);
        equal(secrets.listDeletedSecrets().stream().anyMatch(each -> each.getName().equals(name)), true);
        secrets.beginRecoverDeletedSecret(name).setPollInterval(POLLING).waitForCompletion();
        equal(secrets.getSecret(name).getValue(), "two");
        secrets.beginDeleteSecret(name).setPollInterval(POLLING).waitForCompletion();
        secrets.purgeDeletedSecret(name);
        refused(404, "SecretNotFound", () -> secrets.getDeletedSecret(name));
        secrets.restoreSecretBackup(backup);
        equal(secrets.getSecret(name).getValue(), "two");

        step("secrets: a wrong client secret is refused");
        try {
            secretsWith(credentialWith("wrong")).getSecret(name);
        } catch (RuntimeException refusal) {
            equal(refusal.toString().contains("AADSTS7000215"), true);
            return;
        }
        throw new AssertionError("a wrong secret signed in");
    }

    private void keysLive() {
        step("keys: create, get, list, update");
        String name = newName();
        KeyVaultKey first = keys.createEcKey(
            new CreateEcKeyOptions(name).setCurveName(KeyCurveName.P_384).setTags(Map.of("team", "blue")));
        equal(List.of(first.getKeyType(), first.getKey().getCurveName(), first.getProperties().getTags()),
            List.of(KeyType.EC, KeyCurveName.P_384, Map.of("team", "blue")));
        KeyVaultKey second = keys.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(3072));
        equal(second.getKey().getN().length, 384);
        equal(keys.getKey(name).getId(), second.getId());
        equal(keys.getKey(name, first.getProperties().getVersion()).getKey().getX(), first.getKey().getX());
        KeyVaultKey asked = keys.getKeyAttestation(name);
        equal(asked.getId(), second.getId());
        equal(asked.getProperties().getKeyAttestation() == null, true);
        KeyVaultKey edited = keys.updateKeyProperties(first.getProperties().setEnabled(false), KeyOperation.VERIFY);
        equal(List.of(edited.getKeyOperations(), edited.getProperties().isEnabled()),
            List.of(List.of(KeyOperation.VERIFY), false));
        equal(keys.listPropertiesOfKeys().stream().anyMatch(each -> each.getName().equals(name)), true);

        step("keys: rotation policy, rotate");
        KeyRotationLifetimeAction action =
            new KeyRotationLifetimeAction(KeyRotationPolicyAction.ROTATE).setTimeBeforeExpiry("P30D");
        keys.updateKeyRotationPolicy(name,
            new KeyRotationPolicy().setExpiresIn("P90D").setLifetimeActions(List.of(action)));
        equal(keys.getKeyRotationPolicy(name).getExpiresIn(), "P90D");
        KeyVaultKey rotated = keys.rotateKey(name);
        OffsetDateTime created = rotated.getProperties().getCreatedOn();
        equal(Duration.between(created, rotated.getProperties().getExpiresOn()), Duration.ofDays(90));
        equal(keys.listPropertiesOfKeyVersions(name).stream().count(), 3L);

        step("keys: backup, delete, recover, purge, restore");
        byte[] backup = keys.backupKey(name);
        keys.beginDeleteKey(name).setPollInterval(POLLING).waitForCompletion();
        refused(404, "KeyNotFound", () -> keys.getKey(name));
        equal(keys.getDeletedKey(name).getId(), rotated.getId());
        equal(keys.listDeletedKeys().stream().anyMatch(each -> each.getName().equals(name)), true);
        keys.beginRecoverDeletedKey(name).setPollInterval(POLLING).waitForCompletion();
        keys.beginDeleteKey(name).setPollInterval(POLLING).waitForCompletion();
        keys.purgeDeletedKey(name);
        refused(404, "KeyNotFound", () -> keys.getDeletedKey(name));
        equal(keys.restoreKeyBackup(backup).getId(), rotated.getId());
        refused(409, "Conflict", () -> keys.restoreKeyBackup(backup));
    }

    private void keysEncrypt() {
        step("keys: what either side seals by RSA, the server opens");
        KeyVaultKey key = keys.createRsaKey(new CreateRsaKeyOptions(newName()));
        CryptographyClient server = remote(key);
        for (String algorithm : List.of("RSA1_5", "RSA-OAEP", "RSA-OAEP-256")) {
            EncryptionAlgorithm sealing = EncryptionAlgorithm.fromString(algorithm);
            KeyWrapAlgorithm wrapping = KeyWrapAlgorithm.fromString(algorithm);
            boolean isRemoteOnly = algorithm.equals("RSA-OAEP-256");
            for (CryptographyClient maker : isRemoteOnly ? List.of(server) : List.of(server, alone(key.getKey()))) {
                equal(server.decrypt(sealing, maker.encrypt(sealing, PLAIN).getCipherText()).getPlainText(), PLAIN);
                equal(server.unwrapKey(wrapping, maker.wrapKey(wrapping, PLAIN).getEncryptedKey()).getKey(), PLAIN);
            }
        }
    }

    private void keysSign() throws GeneralSecurityException {
        step("keys: what the server signs is verified by the server, the client and Java's own library");
        KeyVaultKey rsa = keys.createRsaKey(new CreateRsaKeyOptions(newName()));
        for (String algorithm : List.of("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")) {
            byte[] signed = signedByServer(rsa, algorithm);
            equal(verifies(rsa.getKey().toRsa().getPublic(), algorithm, signed), true);
        }
        for (Map.Entry<String, KeyCurveName> row : CURVES.entrySet()) {
            KeyVaultKey key = keys.createEcKey(new CreateEcKeyOptions(newName()).setCurveName(row.getValue()));
            byte[] signed = signedByServer(key, row.getKey());
            if (row.getKey().equals("ES256K")) {
                continue; // Java's library does not know this curve any more
            }
            equal(verifies(key.getKey().toEc().getPublic(), row.getKey(), signed), true);
            SignatureAlgorithm algorithm = SignatureAlgorithm.fromString(row.getKey());
            CryptographyClient client = alone(key.getKey());
            equal(client.verify(algorithm, digest(row.getKey(), PLAIN), signed).isValid(), true);
            equal(client.verify(algorithm, digest(row.getKey(), OTHER), signed).isValid(), false);
        }
    }

    private byte[] signedByServer(KeyVaultKey key, String name) throws GeneralSecurityException {
        SignatureAlgorithm algorithm = SignatureAlgorithm.fromString(name);
        CryptographyClient server = remote(key);
        byte[] signed = server.sign(algorithm, digest(name, PLAIN)).getSignature();
        equal(server.verify(algorithm, digest(name, PLAIN), signed).isValid(), true);
        equal(server.verify(algorithm, digest(name, OTHER), signed).isValid(), false);
        equal(server.verifyData(algorithm, PLAIN, server.signData(algorithm, PLAIN).getSignature()).isValid(), true);
        return signed;
    }

    private void keysSignForTheirMaker() throws GeneralSecurityException {
        step("keys: imported ones sign for their maker, and the reverse");
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        KeyPair rsa = generator.generateKeyPair();
        KeyVaultKey taken = keys.importKey(
            new ImportKeyOptions(newName(), JsonWebKey.fromRsa(rsa)).setHardwareProtected(true));
        equal(List.of(taken.getKeyType(), taken.getKey().hasPrivateKey()), List.of(KeyType.RSA_HSM, false));
        signBothWays(taken, rsa, "PS256");
        generator = KeyPairGenerator.getInstance("EC");
        for (Map.Entry<String, String> row : Map.of("ES256", "secp256r1", "ES384", "secp384r1", "ES512", "secp521r1")
            .entrySet()) {
            generator.initialize(new ECGenParameterSpec(row.getValue()));
            KeyPair pair = generator.generateKeyPair();
            JsonWebKey brought = JsonWebKey.fromEc(pair, generator.getProvider());
            signBothWays(keys.importKey(newName(), brought), pair, row.getKey());
        }
    }

    private void signBothWays(KeyVaultKey key, KeyPair pair, String name) throws GeneralSecurityException {
        equal(verifies(pair.getPublic(), name, signedByServer(key, name)), true);
        Signature signing = signature(name);
        signing.initSign(pair.getPrivate());
        signing.update(PLAIN);
        byte[] own = signing.sign();
        SignatureAlgorithm algorithm = SignatureAlgorithm.fromString(name);
        equal(remote(key).verify(algorithm, digest(name, PLAIN), own).isValid(), true);
        own[own.length - 1] ^= 1;
        equal(remote(key).verify(algorithm, digest(name, PLAIN), own).isValid(), false);
    }

    private void keysOfAesEncrypt() throws GeneralSecurityException {
        step("keys: AES, alike here and there");
        SecretKeySpec raw = new SecretKeySpec(random(32), "AES");
        List<KeyOperation> operations =
            List.of(KeyOperation.ENCRYPT, KeyOperation.DECRYPT, KeyOperation.WRAP_KEY, KeyOperation.UNWRAP_KEY);
        JsonWebKey brought = JsonWebKey.fromAes(raw, operations);
        CryptographyClient here = alone(JsonWebKey.fromAes(raw, operations));
        KeyVaultKey key = keys.importKey(
            new ImportKeyOptions(newName(), brought.setKeyType(KeyType.OCT_HSM)).setHardwareProtected(true));
        CryptographyClient there = remote(key);
        byte[] iv = random(16);
        for (List<CryptographyClient> pair : List.of(List.of(here, there), List.of(there, here))) {
            byte[] sealed = pair.get(0)
                .encrypt(EncryptParameters.createA256CbcPadParameters(PLAIN, iv), Context.NONE).getCipherText();
            equal(pair.get(1).decrypt(DecryptParameters.createA256CbcPadParameters(sealed, iv), Context.NONE)
                .getPlainText(), PLAIN);
            byte[] wrapped = pair.get(0).wrapKey(KeyWrapAlgorithm.A256KW, raw.getEncoded()).getEncryptedKey();
            equal(pair.get(1).unwrapKey(KeyWrapAlgorithm.A256KW, wrapped).getKey(), raw.getEncoded());
        }
        EncryptResult sealed = there.encrypt(EncryptParameters.createA256GcmParameters(PLAIN, OTHER), Context.NONE);
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.DECRYPT_MODE, raw, new GCMParameterSpec(128, sealed.getIv()));
        cipher.updateAAD(OTHER);
        cipher.update(sealed.getCipherText());
        equal(cipher.doFinal(sealed.getAuthenticationTag()), PLAIN);
        byte[] forged = random(16);
        refused(400, "BadParameter", () -> there.decrypt(DecryptParameters.createA256GcmParameters(
            sealed.getCipherText(), sealed.getIv(), forged, OTHER), Context.NONE));
    }

    private void keysRefuse() throws GeneralSecurityException {
        step("keys: what a key may not do is refused, with the service's code");
        KeyVaultKey key = keys.createEcKey(new CreateEcKeyOptions(newName()).setEnabled(false));
        byte[] digest = digest("ES256", PLAIN);
        refused(403, "KeyDisabled", () -> remote(key).sign(SignatureAlgorithm.ES256, digest));
    }

    // --- Java's own library

    private static byte[] random(int length) {
        byte[] found = new byte[length];
        new SecureRandom().nextBytes(found);
        return found;
    }

    private static byte[] digest(String algorithm, byte[] said) throws GeneralSecurityException {
        return MessageDigest.getInstance("SHA-" + algorithm.substring(2, 5)).digest(said);
    }

    private static Signature signature(String algorithm) throws GeneralSecurityException {
        String bits = algorithm.substring(2, 5);
        String hash = "SHA" + bits;
        switch (algorithm.substring(0, 2)) {
            case "RS":
                return Signature.getInstance(hash + "withRSA");
            case "ES":
                return Signature.getInstance(hash + "withECDSAinP1363Format");
            default:
                Signature found = Signature.getInstance("RSASSA-PSS");
                MGF1ParameterSpec mask = new MGF1ParameterSpec("SHA-" + bits);
                found.setParameter(
                    new PSSParameterSpec("SHA-" + bits, "MGF1", mask, Integer.parseInt(bits) / 8, 1));
                return found;
        }
    }

    private static boolean verifies(PublicKey key, String algorithm, byte[] signed) throws GeneralSecurityException {
        Signature verifying = signature(algorithm);
        verifying.initVerify(key);
        verifying.update(PLAIN);
        return verifying.verify(signed);
    }
}
