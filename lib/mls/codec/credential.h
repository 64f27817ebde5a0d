/* Credential (RFC 9420 5.3).
 *
 *     struct {
 *         CredentialType credential_type;
 *         select (credential_type) { case basic: opaque identity<V>;  case x509: Certificate
 * certificates<V>; }; } Credential;
 *
 * Both known bodies are one <V> vector, and so is the body of a type we do not know: that is how
 * other implementations write them, and without it the structure behind could not be found.
 */
#ifndef MLS_CODEC_CREDENTIAL_H
#define MLS_CODEC_CREDENTIAL_H

#include "base/bytes.h"
#include "mls/codec/types.h"
#include "wire/reader.h"
#include "wire/writer.h"

struct mls_credential {
    uint16_t type;     /* CREDENTIAL_... or unknown */
    struct bytes body; /* contents of the vector: the identity, or the encoded certificates */
};

/* An x509 body is checked to be 1 to MLS_MAX_CERTIFICATES vectors. */
void credential_read(struct wire_reader *r, struct mls_credential *c);
void credential_write(struct buf *b, const struct mls_credential *c);
bool credential_equal(const struct mls_credential *a, const struct mls_credential *b);

/* Iterates the certificates of an x509 credential, the end-entity's first:
 *     struct wire_reader it = credential_certificates(c);
 *     struct bytes der;
 *     while (credential_next_certificate(&it, &der)) ... */
struct wire_reader credential_certificates(const struct mls_credential *c);
bool credential_next_certificate(struct wire_reader *it, struct bytes *ret_der);

#endif
