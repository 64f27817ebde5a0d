/* What is inside the sealed state of a group (protocol.md 7).
 *
 *     struct { uint32 index; uint8 flags; uint64 epoch; uint32 month; opaque signature_key<V>;
 *              opaque pseudonym[16]; opaque user_pseudonym[16]; opaque wrapped_identity_key<V>;
 *              opaque wrapped_profile_key<V>; opaque domain<V>; opaque sealed_ref<V>;
 *              opaque ref_signature<V>; opaque pseudonym_signature<V>;
 *              uint8 policy;                              not in format 1, where it is 0
 *              uint32 lost; uint8 refusals; uint64 at; } LeafEntry;  not in formats 1 and 2, where
 * they are 0 struct { uint64 epoch; uint64 hour; opaque committer[16]; opaque commit_hash[32];
 *              opaque reporters<V>; } EpochFact;      reporters: leaf pseudonyms, 16 bytes each
 *     struct { uint64 epoch; uint32 bytes; } PastTree;        rows of past_tree.h that may be there
 *     struct { uint16 format = 3; uint16 suite; uint64 epoch; LeafEntry leaves<V>;
 *              opaque info_extensions<V>; uint32 info_signer; opaque info_signature<V>;
 *              EpochFact facts<V>; PastTree past_trees<V>; opaque public_group<V>; } GroupState;
 *
 * States of formats 1 and 2 are opened, and written as format 3 when they are next written.
 *
 * A decoded state holds views: into `plain`, which it owns, and after changes into the request's
 * memory. Sending a message needs the leaves alone, so public_group (public_group_save) stays bytes
 * until somebody loads it. About 550 bytes a leaf beside the tree.
 */
#ifndef SERVER_GROUP_STATE_H
#define SERVER_GROUP_STATE_H

#include "crypto/suite.h"
#include "seal/delivery_body.h"

enum {
    LEAF_QUEUE_GONE = 1,      /* its queue service said so; until there is another reference */
    LEAF_REMOVE_PENDING = 2,  /* a Remove of it is among the pending proposals */
    LEAF_LOSS_TOLD = 4,       /* at `loss_s` it was told what it had lost */
    LEAF_RESTED = 8,          /* there may be a count of what was not sent to it (notices.h) */
    GROUP_FACTS = 5,          /* epochs that can be reported */
    FACT_REPORTERS_MAX = 64,  /* of one commit */
    GROUP_PAST_TREES = 256,   /* of one group */
    GROUP_LEAVES_MAX = 10000, /* highest value of the limit GROUP_MEMBERS */
};

struct leaf_entry {
    uint32_t index;
    uint8_t flags;
    uint64_t epoch; /* of its last commit, or of its coming */
    uint32_t month; /* when it was last heard (month_of) */
    struct bytes signature_key;
    struct bytes pseudonym; /* PSEUDONYM_BYTES */
    struct bytes user_pseudonym;
    struct bytes wrapped_identity_key;
    struct bytes wrapped_profile_key; /* empty: none */
    struct bytes domain;
    struct bytes sealed_ref;
    struct bytes ref_signature;
    struct bytes pseudonym_signature; /* empty: none */
    uint8_t policy;                   /* Hearth__V1__NotificationPolicy; 0: for everything */
    uint32_t lost;                    /* messages that it may not know of yet, about */
    uint8_t refusals;                 /* so often was it told, and refused that, in a row */
    uint64_t loss_s;                  /* Unix time of the last telling */
};

struct epoch_fact {
    uint64_t epoch; /* that the commit led to */
    uint64_t hour;
    struct bytes committer;   /* leaf pseudonym */
    struct bytes commit_hash; /* COMMIT_HASH_BYTES */
    struct bytes reporters;
};

struct past_entry {
    uint64_t epoch;
    uint32_t bytes;
};

struct group_state {
    struct buf plain; /* owned; what the views look into */
    const struct suite *suite;
    uint64_t epoch;
    struct leaf_entry *leaves; /* owned; sorted by index */
    uint32_t leaf_count;
    uint32_t leaf_cap;
    struct bytes info_extensions; /* of the GroupInfo: contents of the vector */
    uint32_t info_signer;
    struct bytes info_signature;
    struct epoch_fact facts[GROUP_FACTS]; /* oldest first */
    uint32_t fact_count;
    struct past_entry past_trees[GROUP_PAST_TREES]; /* oldest first */
    uint32_t past_count;
    struct bytes public_group;
};

/* Takes plain over. ERR_DELIVERY_STATE, ERR_NO_MEMORY. */
CHECKED struct err group_state_parse(struct buf *plain, struct group_state *ret_state);
void group_state_write(struct buf *b, const struct group_state *state);
/* At least as many bytes as group_state_write() appends, a little more. */
size_t group_state_bytes(const struct group_state *state);
/* Wipes. The zero state is safe to clear. */
void group_state_clear(struct group_state *state);

/* Its queue service refuses all, even that it lost something: nothing is sent there for a while,
 * which is some seconds, doubled with each refusal, an hour at most. Then the loss is told, and the
 * rest follows. */
bool leaf_rests(const struct leaf_entry *leaf, uint64_t now_s);
/* So much more. */
void leaf_add_lost(struct leaf_entry *leaf, uint64_t count);
/* There is a loss to be told now, or one that was told is settled. */
bool leaf_has_loss(const struct leaf_entry *leaf, uint64_t now_s);

/* NULL when there is none. Lives until the leaves change. */
struct leaf_entry *group_state_leaf(const struct group_state *state, uint32_t index);
/* Puts a leaf in its place, over the one that was there. ERR_NO_MEMORY. */
CHECKED struct err group_state_put(struct group_state *state, const struct leaf_entry *leaf);
void group_state_drop(struct group_state *state, uint32_t index);
/* Enters a past tree. Those that must go so that at most GROUP_PAST_TREES of at most `most_bytes`
 * together are left, are taken out, oldest first, into ret_gone. The new one always stays. */
void group_state_add_past(struct group_state *state, struct past_entry entry, uint64_t most_bytes,
                          struct past_entry ret_gone[GROUP_PAST_TREES], uint32_t *ret_gone_count);
/* Forgets the oldest when there are GROUP_FACTS. */
void group_state_add_fact(struct group_state *state, const struct epoch_fact *fact);

#endif
