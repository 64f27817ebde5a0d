#include "crypto/suite.h"

#define DHKEM_SUITE(kem_, kdf_, aead_)                   \
    {                                                    \
        .kem = &(kem_), .kdf = &(kdf_), .aead = &(aead_) \
    }

const struct suite suite_table[SUITE_COUNT] = {
    {1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
     DHKEM_SUITE(kem_x25519, kdf_hkdf_sha256, aead_aes128_gcm), &hash_sha256, &sig_ed25519},
    {2, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
     DHKEM_SUITE(kem_p256, kdf_hkdf_sha256, aead_aes128_gcm), &hash_sha256, &sig_ecdsa_p256_sha256},
    {3, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
     DHKEM_SUITE(kem_x25519, kdf_hkdf_sha256, aead_chacha20_poly1305), &hash_sha256, &sig_ed25519},
    {4, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
     DHKEM_SUITE(kem_x448, kdf_hkdf_sha512, aead_aes256_gcm), &hash_sha512, &sig_ed448},
    {5, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
     DHKEM_SUITE(kem_p521, kdf_hkdf_sha512, aead_aes256_gcm), &hash_sha512, &sig_ecdsa_p521_sha512},
    {6, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
     DHKEM_SUITE(kem_x448, kdf_hkdf_sha512, aead_chacha20_poly1305), &hash_sha512, &sig_ed448},
    {7, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
     DHKEM_SUITE(kem_p384, kdf_hkdf_sha384, aead_aes256_gcm), &hash_sha384, &sig_ecdsa_p384_sha384},
};

const struct suite *suite_find(uint16_t id)
{
    for (size_t i = 0; i < SUITE_COUNT; i++)
        if (suite_table[i].id == id)
            return &suite_table[i];
    return NULL;
}
