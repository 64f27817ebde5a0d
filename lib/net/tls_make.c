#include "net/tls_make.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* OpenSSL has names that begin with ERR_ too; ours are enum constants and come first in base/err.h.
 */

enum { DAYS = 398, CA_DAYS = 3650, SECONDS_PER_DAY = 24 * 3600 };

static FILE *create(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, "w");
    if (file == NULL)
        (void)close(fd);
    return file;
}

/* Durably: a key that is gone after a power cut is a broken homeserver. */
static bool finish(FILE *file)
{
    bool good = fflush(file) == 0 && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && good;
}

static bool write_certificate(const char *path, X509 *x, X509 *issuer)
{
    FILE *file = create(path, 0444);
    if (file == NULL)
        return false;
    bool good =
        PEM_write_X509(file, x) == 1 && (issuer == NULL || PEM_write_X509(file, issuer) == 1);
    return finish(file) && good;
}

static bool write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = create(path, 0400);
    if (file == NULL)
        return false;
    bool good = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    return finish(file) && good;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool set_serial(X509 *x)
{
    uint8_t bytes[8];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f;
    uint64_t serial = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        serial = serial << 8 | bytes[i];
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial | 1) == 1;
}

/* issuer NULL: signed by itself. */
static X509 *certificate_new(const char *common_name, int days, EVP_PKEY *key, X509 *issuer)
{
    X509 *x = X509_new();
    if (x == NULL)
        return NULL;
    X509_NAME *name = X509_get_subject_name(x);
    bool good = X509_set_version(x, 2) == 1 && set_serial(x) &&
                X509_gmtime_adj(X509_getm_notBefore(x), -SECONDS_PER_DAY) != NULL &&
                X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL) != NULL &&
                X509_set_pubkey(x, key) == 1 &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)common_name, -1, -1, 0) == 1 &&
                X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name) == 1;
    if (good)
        return x;
    X509_free(x);
    return NULL;
}

static X509 *make_ca(const char *ca_file, const char *ca_key_file, EVP_PKEY **ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key != NULL ? certificate_new("Hearth development CA", CA_DAYS, key, NULL) : NULL;
    bool good = x != NULL &&
                add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                add_extension(x, x, NID_key_usage, "critical,keyCertSign") &&
                add_extension(x, x, NID_subject_key_identifier, "hash") &&
                X509_sign(x, key, EVP_sha256()) > 0 && write_key(ca_key_file, key) &&
                write_certificate(ca_file, x, NULL);
    if (good) {
        *ret_key = key;
        return x;
    }
    X509_free(x);
    EVP_PKEY_free(key);
    return NULL;
}

static X509 *read_certificate(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    X509 *x = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    return x;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    (void)fclose(file);
    return key;
}

static bool make_leaf(const char *domain, X509 *ca, EVP_PKEY *ca_key, const char *certificate_file,
                      const char *key_file)
{
    char names[512];
    (void)snprintf(names, sizeof names, "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", domain);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    /* the name of a domain may be longer than the 64 bytes that a common name can have */
    X509 *x = key != NULL ? certificate_new("Hearth development", DAYS, key, ca) : NULL;
    bool good = x != NULL && add_extension(x, ca, NID_subject_alt_name, names) &&
                add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(x, ca, NID_key_usage, "critical,digitalSignature") &&
                add_extension(x, ca, NID_ext_key_usage, "serverAuth,clientAuth") &&
                add_extension(x, ca, NID_authority_key_identifier, "keyid") &&
                X509_sign(x, ca_key, EVP_sha256()) > 0 && write_key(key_file, key) &&
                write_certificate(certificate_file, x, ca);
    X509_free(x);
    EVP_PKEY_free(key);
    return good;
}

struct err tls_make_development(const char *domain, const char *ca_file, const char *ca_key_file,
                                const char *certificate_file, const char *key_file)
{
    if (access(certificate_file, F_OK) == 0 || access(key_file, F_OK) == 0)
        return ERR(STORE_EXISTS);
    bool have_ca = access(ca_file, F_OK) == 0;
    if (have_ca != (access(ca_key_file, F_OK) == 0))
        return ERR(STORE_EXISTS); /* half a CA is somebody else's */
    EVP_PKEY *ca_key = have_ca ? read_key(ca_key_file) : NULL;
    X509 *ca = have_ca ? read_certificate(ca_file) : make_ca(ca_file, ca_key_file, &ca_key);
    bool good =
        ca != NULL && ca_key != NULL && make_leaf(domain, ca, ca_key, certificate_file, key_file);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return good ? ERR_OK : ERR(TLS_FILES);
}

struct err tls_certificate_inspect(const char *certificate_file, const char *key_file,
                                   const char *domain, struct tls_certificate_facts *ret_facts)
{
    X509 *x = read_certificate(certificate_file);
    EVP_PKEY *key = read_key(key_file);
    int days = 0, seconds = 0;
    bool read = x != NULL && key != NULL &&
                ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) == 1;
    if (read) {
        ret_facts->days_left = days == 0 && seconds < 0 ? -1 : days;
        ret_facts->names_domain = X509_check_host(x, domain, 0, 0, NULL) == 1;
        ret_facts->key_matches = X509_check_private_key(x, key) == 1;
    }
    X509_free(x);
    EVP_PKEY_free(key);
    return read ? ERR_OK : ERR(TLS_FILES);
}
