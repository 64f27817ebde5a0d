/* Proposals received in an epoch, kept until the commit that ends it (RFC 9420 12.1, 12.4).
 *
 * Whoever adds one has verified it: signature, sender, and the rules on the proposal alone
 * (validate_proposal.h), so that a commit by reference need not do so again. The store owns a copy
 * of each message's bytes.
 */
#ifndef MLS_PUBLIC_PROPOSAL_STORE_H
#define MLS_PUBLIC_PROPOSAL_STORE_H

#include "crypto/hash.h"
#include "mls/codec/framing.h"

enum {
    PROPOSAL_STORE_MAX_COUNT = MLS_MAX_COMMIT_PROPOSALS,
    PROPOSAL_STORE_MAX_BYTES = 32 * 1024 * 1024, /* of all messages together */
};

struct stored_proposal {
    struct digest ref; /* ProposalRef */
    uint32_t number;   /* place in entries */
    struct sender sender;
    struct proposal proposal; /* views into bytes */
    struct bytes bytes;       /* the AuthenticatedContent; in the arena */
    struct arena arena;
};

struct proposal_store {
    struct stored_proposal **entries; /* owned, in order of receipt */
    uint32_t *by_ref;                 /* numbers of entries, sorted by ref */
    uint32_t count;
    uint32_t cap;
    size_t bytes; /* of all messages */
};

/* The zero state is empty and safe to clear. */
void proposal_store_clear(struct proposal_store *store);
/* Keeps a copy of content, a proposal. A proposal that is there already is left as it is.
 * ERR_NO_MEMORY, ERR_MLS_TOO_MANY_PROPOSALS. */
CHECKED struct err proposal_store_add(struct proposal_store *store, const struct hash_alg *alg,
                                      const struct authenticated_content *content);
/* Takes back what was added last; the store must not be empty. */
void proposal_store_drop_last(struct proposal_store *store);
/* NULL when there is none. Lives until the store is cleared. */
const struct stored_proposal *proposal_store_find(const struct proposal_store *store,
                                                  struct bytes ref);

/* ProposalRef of an AuthenticatedContent (RFC 9420 5.2). ERR_NO_MEMORY. */
CHECKED struct err proposal_ref(const struct hash_alg *alg,
                                const struct authenticated_content *content,
                                struct digest *ret_ref);

#endif
