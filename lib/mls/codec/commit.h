/* Commit (RFC 9420 12.4) and UpdatePath (7.6).
 *
 *     struct { ProposalOrRefType type;
 *              select (type) { case proposal: Proposal;  case reference: ProposalRef; }; }
 * ProposalOrRef; struct { ProposalOrRef proposals<V>;  optional<UpdatePath> path; } Commit;
 *
 *     struct { opaque kem_output<V>;  opaque ciphertext<V>; } HPKECiphertext;
 *     struct { HPKEPublicKey encryption_key;  HPKECiphertext encrypted_path_secret<V>; }
 * UpdatePathNode; struct { LeafNode leaf_node;  UpdatePathNode nodes<V>; } UpdatePath;
 *
 * The arrays lie in the arena; ciphertexts stay views, since most readers only count them.
 */
#ifndef MLS_CODEC_COMMIT_H
#define MLS_CODEC_COMMIT_H

#include "mls/codec/proposal.h"

struct hpke_ciphertext {
    struct bytes kem_output;
    struct bytes ciphertext;
};

void hpke_ciphertext_read(struct wire_reader *r, struct hpke_ciphertext *c);
void hpke_ciphertext_write(struct buf *b, const struct hpke_ciphertext *c);

struct update_path_node {
    struct bytes encryption_key;
    struct bytes ciphertexts; /* contents of the vector, checked to be well formed */
    uint32_t
        ciphertext_count; /* at most MLS_MAX_LEAVES; not written, it follows from ciphertexts */
};

struct update_path {
    struct leaf_node leaf_node;
    const struct update_path_node *nodes;
    size_t node_count; /* at most MLS_MAX_PATH_NODES */
};

enum proposal_or_ref_type { PROPOSAL_BY_VALUE = 1, PROPOSAL_BY_REFERENCE = 2 };

struct proposal_or_ref {
    enum proposal_or_ref_type type;
    struct proposal proposal; /* by value */
    struct bytes reference;   /* by reference */
};

struct commit {
    const struct proposal_or_ref *proposals;
    size_t proposal_count;          /* at most MLS_MAX_COMMIT_PROPOSALS */
    const struct update_path *path; /* NULL when absent */
};

void update_path_read(struct wire_reader *r, struct arena *a, struct update_path *path);
void update_path_write(struct buf *b, const struct update_path *path);
void commit_read(struct wire_reader *r, struct arena *a, struct commit *commit);
CHECKED struct err commit_parse(struct bytes in, struct arena *a, struct commit *ret_commit);
void commit_write(struct buf *b, const struct commit *commit);

/* The ciphertext at an index below ciphertext_count. Linear in the index. */
struct hpke_ciphertext update_path_node_ciphertext(const struct update_path_node *node,
                                                   uint32_t index);

#endif
