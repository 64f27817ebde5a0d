/* Receipts: what a homeserver answered to a request, signed, so that refusing somebody can be shown
 * to others (DoS11 to DoS14). Given to who asks for one with the call: metadata hearth-receipt,
 * "refusal" (only where it is no OK) or "always"; the answer's trailer hearth-receipt-bin.
 *
 *     struct {
 *         uint8 version = 1;
 *         uint16 status;              gRPC's
 *         uint32 hour;                since 1970: no finer, since it may be shown around
 *         opaque request_hash[32];    SHA-256 of the first request message as sent
 *         opaque domain<V>, method<V>;
 *         opaque signer[32];          fingerprint of the signing credential
 *     } tbs;
 *     opaque signature<V>             label "Receipt", by a signing credential of the domain
 *
 * It says nothing of the caller: who shows it shows the request, too.
 */
#ifndef SEAL_RECEIPT_H
#define SEAL_RECEIPT_H

#include "seal/credential_chain.h"

#define RECEIPT_ASK_METADATA "hearth-receipt"
#define RECEIPT_METADATA     "hearth-receipt-bin"

enum { RECEIPT_HASH_BYTES = 32, RECEIPT_MAX_BYTES = 1024 };

struct receipt {
    uint16_t status;
    uint32_t hour;
    const uint8_t *request_hash; /* RECEIPT_HASH_BYTES */
    struct bytes domain, method;
    const uint8_t *signer; /* CREDENTIAL_FINGERPRINT_BYTES */
};

/* Appends. signing: the credential that sign signs with. ERR_TOO_LARGE, sign's errors. */
CHECKED struct err receipt_make(struct buf *b, const struct receipt *fields, struct bytes signing,
                                const struct credential_signer *sign);
/* Parses and verifies under this credential, whose chain is the caller's matter; views into the
 * input. Wire errors, ERR_CREDENTIAL for another signer or domain, those of sig_verify. */
CHECKED struct err receipt_read(struct bytes in, struct bytes signing, struct receipt *ret_receipt);

#endif
