/* TLS 1.3 with ALPN "h2": contexts made from PEM files, nothing else. With lib/crypto the only
 * place that knows OpenSSL.
 *
 * A context is reference-counted and immutable: a reload makes a new one, connections that exist
 * keep theirs.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"
#include "hearth/rpc.h"

struct tls_context;
struct tls_session;

/* ERR_TLS_FILES with a sentence in error (error_bytes of room) when a file can't be read or does
 * not fit. */
CHECKED struct err tls_context_new(const struct hearth_tls_options *options, bool server,
                                   char *error, size_t error_bytes,
                                   struct tls_context **ret_context);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);

/* Takes no ownership of fd. name: what a client checks and sends as SNI. NULL when out of memory.
 */
struct tls_session *tls_session_new(struct tls_context *context, int fd, const char *name);
void tls_session_free(struct tls_session *session);

enum tls_result { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

enum tls_result tls_handshake(struct tls_session *session);
enum tls_result tls_read(struct tls_session *session, uint8_t *buf, size_t len, size_t *ret_len);
enum tls_result tls_write(struct tls_session *session, const uint8_t *buf, size_t len,
                          size_t *ret_len);
/* Sends close_notify if that is possible without waiting. */
void tls_close(struct tls_session *session);
bool tls_is_h2(const struct tls_session *session);
/* Subject common name of the verified peer certificate, allocated; NULL if there is none. */
char *tls_peer_name(const struct tls_session *session);
/* Why the handshake failed, for people; static or owned by the session. */
const char *tls_error(const struct tls_session *session);

#endif
