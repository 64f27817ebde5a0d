/* Transcript hashes (RFC 9420 8.2). */
#ifndef MLS_PUBLIC_TRANSCRIPT_H
#define MLS_PUBLIC_TRANSCRIPT_H

#include "crypto/hash.h"
#include "mls/codec/framing.h"

/* Hash(interim of the epoch before || ConfirmedTranscriptHashInput). content is a commit.
 * ERR_NO_MEMORY. */
CHECKED struct err transcript_confirmed(const struct hash_alg *alg, struct bytes interim_before,
                                        const struct authenticated_content *content,
                                        struct digest *ret_confirmed);
/* Hash(confirmed || InterimTranscriptHashInput). In epoch 0 confirmed is empty. */
void transcript_interim(const struct hash_alg *alg, struct bytes confirmed,
                        struct bytes confirmation_tag, struct digest *ret_interim);

#endif
