#include "support/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

/* the last: OpenSSL has its own names that begin with ERR_ */
#include "support/test.h"

static void add_names(X509 *x, const char *common_name)
{
    char names[160];
    (void)snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1,DNS:%s", common_name);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void test_certificate_make(struct test_certificate *c, const char *common_name)
{
    (void)snprintf(c->directory, sizeof c->directory, "/tmp/hearth-test-XXXXXX");
    assert_non_null(mkdtemp(c->directory));
    (void)snprintf(c->certificate_file, sizeof c->certificate_file, "%s/cert.pem", c->directory);
    (void)snprintf(c->key_file, sizeof c->key_file, "%s/key.pem", c->directory);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    assert_non_null(key);
    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
                               -1, 0);
    X509_set_issuer_name(x, name);
    add_names(x, common_name);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *file = fopen(c->certificate_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, x), 1);
    assert_int_equal(fclose(file), 0);
    file = fopen(c->key_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(x);
    EVP_PKEY_free(key);
}

void test_certificate_remove(struct test_certificate *c)
{
    unlink(c->certificate_file);
    unlink(c->key_file);
    rmdir(c->directory);
}
