#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tls_context {
    SSL_CTX *ctx;
    atomic_uint refs;
    bool server;
};

struct tls_session {
    SSL *ssl;
    struct tls_context *context;
    char error[160];
};

/* ---- the socket as a BIO: OpenSSL's own would raise SIGPIPE, which is not ours to switch off ----
 */

static int bio_write(BIO *bio, const char *data, size_t len, size_t *written)
{
    int fd = (int)(intptr_t)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
    if (n >= 0) {
        *written = (size_t)n;
        return 1;
    }
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_write(bio);
    return 0;
}

static int bio_read(BIO *bio, char *data, size_t len, size_t *read_len)
{
    int fd = (int)(intptr_t)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(fd, data, len, 0);
    if (n > 0) {
        *read_len = (size_t)n;
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    else if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    if (bio_method == NULL)
        return;
    BIO_meth_set_write_ex(bio_method, bio_write);
    BIO_meth_set_read_ex(bio_method, bio_read);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

static bool attach(SSL *ssl, int fd)
{
    pthread_once(&bio_once, make_bio_method);
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (bio == NULL)
        return false;
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

static int select_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned i = 0; i + 1 <= in_len; i += in[i] + 1u) {
        if (in[i] == 2 && i + 3 <= in_len && memcmp(in + i + 1, "h2", 2) == 0) {
            *out = in + i + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool say(char *error, size_t error_bytes, const char *what, const char *file)
{
    unsigned long code = ERR_peek_error(); /* the first says most, those after it where it was */
    const char *reason = code == 0                ? NULL
                         : ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                                  : ERR_reason_error_string(code);
    (void)snprintf(error, error_bytes, "%s %s: %s", what, file != NULL ? file : "",
                   reason != NULL ? reason : "failed");
    return false;
}

static bool load_own(SSL_CTX *ctx, const struct hearth_tls_options *o, bool server, char *error,
                     size_t error_bytes)
{
    if (o->certificate_file == NULL && !server)
        return true;
    if (o->certificate_file == NULL || o->key_file == NULL)
        return say(error, error_bytes, "certificate and key are both needed", NULL);
    if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate_file) != 1)
        return say(error, error_bytes, "certificate", o->certificate_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, o->key_file, SSL_FILETYPE_PEM) != 1)
        return say(error, error_bytes, "key", o->key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return say(error, error_bytes, "key does not fit the certificate:", o->key_file);
    return true;
}

static bool load_roots(SSL_CTX *ctx, const struct hearth_tls_options *o, bool server, char *error,
                       size_t error_bytes)
{
    if (server && o->require_client_certificate && o->ca_file == NULL)
        return say(error, error_bytes, "client certificates can't be required without roots", NULL);
    if (o->ca_file != NULL) {
        if (SSL_CTX_load_verify_locations(ctx, o->ca_file, NULL) != 1)
            return say(error, error_bytes, "roots", o->ca_file);
    } else if (!server && SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return say(error, error_bytes, "system roots", NULL);
    }
    if (!server)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    else if (o->ca_file != NULL)
        SSL_CTX_set_verify(
            ctx,
            SSL_VERIFY_PEER | (o->require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
            NULL);
    return true;
}

struct err tls_context_new(const struct hearth_tls_options *o, bool server, char *error,
                           size_t error_bytes, struct tls_context **ret_context)
{
    struct tls_context *context = calloc(1, sizeof *context);
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context == NULL || ctx == NULL)
        goto no_memory;
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* ME2: no tickets, no resumption, no 0-RTT: nothing links two connections */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (o->record_bytes > 1)
        SSL_CTX_set_block_padding(ctx, o->record_bytes); /* ME1; RFC 8446 5.4 */
    if (server)
        SSL_CTX_set_alpn_select_cb(ctx, select_h2, NULL);
    else
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3);
    if (!load_own(ctx, o, server, error, error_bytes) ||
        !load_roots(ctx, o, server, error, error_bytes)) {
        SSL_CTX_free(ctx);
        free(context);
        return ERR(TLS_FILES);
    }
    context->ctx = ctx;
    context->server = server;
    atomic_init(&context->refs, 1);
    *ret_context = context;
    return ERR_OK;
no_memory:
    SSL_CTX_free(ctx);
    free(context);
    return ERR(NO_MEMORY);
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add(&context->refs, 1);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (context == NULL || atomic_fetch_sub(&context->refs, 1) != 1)
        return;
    SSL_CTX_free(context->ctx);
    free(context);
}

struct tls_session *tls_session_new(struct tls_context *context, int fd, const char *name)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->ssl = SSL_new(context->ctx);
    if (session->ssl == NULL || !attach(session->ssl, fd))
        goto fail;
    if (!context->server && name != NULL) {
        /* an address is checked against the address names of the certificate and not sent as SNI */
        X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl);
        if (X509_VERIFY_PARAM_set1_ip_asc(param, name) != 1 &&
            (SSL_set1_host(session->ssl, name) != 1 ||
             SSL_ctrl(session->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                      (void *)(uintptr_t)name) != 1))
            goto fail;
    }
    if (context->server)
        SSL_set_accept_state(session->ssl);
    else
        SSL_set_connect_state(session->ssl);
    session->context = tls_context_ref(context);
    return session;
fail:
    SSL_free(session->ssl);
    free(session);
    return NULL;
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    tls_context_unref(session->context);
    free(session);
}

static void keep_error(struct tls_session *session)
{
    long verify = SSL_get_verify_result(session->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = verify != X509_V_OK ? X509_verify_cert_error_string(verify)
                         : code != 0         ? ERR_reason_error_string(code)
                                             : "the connection broke";
    (void)snprintf(session->error, sizeof session->error, "%s",
                   reason != NULL ? reason : "TLS failed");
}

/* What OpenSSL says about a call that did not succeed. */
static enum tls_result outcome(struct tls_session *session, int rv)
{
    switch (SSL_get_error(session->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        keep_error(session);
        ERR_clear_error();
        return TLS_FAILED;
    }
}

enum tls_result tls_handshake(struct tls_session *session)
{
    int rv = SSL_do_handshake(session->ssl);
    if (rv != 1)
        return outcome(session, rv);
    if (!tls_is_h2(session)) {
        (void)snprintf(session->error, sizeof session->error,
                       "the other side does not speak HTTP/2 (no ALPN h2)");
        return TLS_FAILED;
    }
    return TLS_OK;
}

enum tls_result tls_read(struct tls_session *session, uint8_t *buf, size_t len, size_t *ret_len)
{
    int rv = SSL_read_ex(session->ssl, buf, len, ret_len);
    return rv == 1 ? TLS_OK : outcome(session, rv);
}

enum tls_result tls_write(struct tls_session *session, const uint8_t *buf, size_t len,
                          size_t *ret_len)
{
    int rv = SSL_write_ex(session->ssl, buf, len, ret_len);
    return rv == 1 ? TLS_OK : outcome(session, rv);
}

void tls_close(struct tls_session *session)
{
    if (SSL_is_init_finished(session->ssl))
        (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
}

bool tls_is_h2(const struct tls_session *session)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

char *tls_peer_name(const struct tls_session *session)
{
    X509 *certificate = SSL_get1_peer_certificate(session->ssl);
    if (certificate == NULL)
        return NULL;
    char *name = NULL;
    int at = X509_NAME_get_index_by_NID(X509_get_subject_name(certificate), NID_commonName, -1);
    unsigned char *text = NULL;
    int len = at < 0 ? -1
                     : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(
                                                      X509_get_subject_name(certificate), at)));
    /* a name with a zero byte inside would read as another name */
    if (len >= 0 && strlen((const char *)text) == (size_t)len)
        name = strdup((const char *)text);
    OPENSSL_free(text);
    X509_free(certificate);
    return name;
}

const char *tls_error(const struct tls_session *session)
{
    return session->error[0] != 0 ? session->error : "TLS failed";
}
