/* Evidence files: what a log's operator signed that can't all be true. Whoever holds one can show
 * it to anybody; verifying it needs no trust in who made it, no network and no state. (Whether the
 * key in it is the key that a homeserver's users know is for the reader to compare.)
 *
 *     opaque magic[8] = "KTLEVID1"; uint8 kind; opaque config<0..2^16-1>; then by kind
 *     1 roots      note a; note b                      two roots of one size
 *     2 entries    Sighting a; Sighting b              two entries of one index
 *     3 windows    note a; DistEntry a; note b; DistEntry b
 *                                                      two distinguished epochs of one window
 *     4 time       Sighting a; Sighting b              a later entry of an earlier time
 *     5 rewritten  Tree a; Tree b                      what was in the tree at a is gone or changed
 *                                                      at b, the same epoch or a later one
 *     6 unsigned   Named before; Named after           a KeySet that no key of the one before
 * allows 7 skipped    Named                               a version is there, one below it is not
 *     8 forked     uint64 size; Prefix a; Prefix b      two logs whose first `size` entries differ
 *     note      = opaque<0..2^16-1>, a checkpoint with the log's signature
 *     Sighting  = { note; uint64 index; LogEntry entry; HashValue inclusion<0..2^8-1>; }
 *     Tree      = { Sighting; { opaque index[32]; optional<HashValue> commitment; }
 *                   lookups<0..2^8-1>; PrefixProof proof; }
 *     Prefix    = { note; HashValue consistency<0..2^8-1>; }   from `size` on, where that is a
 * power of two from 1 on (log_verify.h); empty for a checkpoint of that size Named     = { Tree;
 * opaque label<1..2^8-1>; Version versions<1..2>; } Version   = { uint32 version; opaque proof[80];
 * VRF: its index is among the lookups optional<struct { opaque opening[16]; UpdateValue value; }> }
 *     unsigned has one version with its value in each half, skipped two without: first the one that
 *     is there.
 *
 * The two halves may lie under checkpoints of any sizes: an honest log has one history, whichever
 * of its checkpoints a part is shown under.
 *
 * The other kinds name nobody. unsigned and skipped name the label, and unsigned shows both
 * KeySets, since what is wrong lies in them: whoever hands such a file on tells whose devices it is
 * about. A KeySet that says of itself that it is a reset is never evidence: it is what a person
 * makes who lost all devices, and nobody else can tell who made it (transparency.md 4).
 */
#ifndef TLOG_EVIDENCE_H
#define TLOG_EVIDENCE_H

#include "tlog/prefix_verify.h"
#include "tlog/verify.h"

enum evidence_kind {
    EVIDENCE_ROOTS = 1,
    EVIDENCE_ENTRIES = 2,
    EVIDENCE_WINDOWS = 3,
    EVIDENCE_TIME = 4,
    EVIDENCE_REWRITTEN = 5,
    EVIDENCE_UNSIGNED = 6,
    EVIDENCE_SKIPPED = 7,
    EVIDENCE_FORKED = 8,
};
enum { EVIDENCE_MAX_BYTES = 1048576 };

struct evidence_sighting {
    struct bytes note;
    uint64_t index;
    struct log_entry entry;
    struct hash_run inclusion;
};

struct evidence_tree {
    struct evidence_sighting at;
    struct prefix_lookup lookups[PREFIX_LOOKUPS_MAX];
    struct prefix_proof proof; /* as many results */
};

/* Versions of a label in a tree. */
struct evidence_named {
    const struct evidence_tree *tree;
    struct bytes label;
    size_t count; /* 1 or 2 */
    struct evidence_version {
        uint32_t version;
        const uint8_t *proof;   /* VRF_PROOF_BYTES */
        const uint8_t *opening; /* OPENING_BYTES; NULL: not shown */
        struct bytes value;
    } versions[2];
};

/* What a search showed of the tree at its newest entry; `known` is its verified result. Views into
 * both. */
void evidence_tree_of_search(const struct search_response *response, const struct kt_known *known,
                             uint64_t size, struct evidence_tree *ret_tree);
/* ... and of the tree at its distinguished entry; ERR_TLOG_LADDER when it shows none. */
CHECKED struct err evidence_tree_of_dist(const struct search_response *response,
                                         const struct kt_known *known,
                                         struct evidence_tree *ret_tree);
/* What a contact check showed, good or bad, of the tree at its distinguished entry: what is shown
 * present is taken to have the commitment known. ERR_TLOG_LADDER when it did not answer what was
 * asked. */
CHECKED struct err evidence_tree_of_contacts(const struct contact_response *response,
                                             const struct kt_contact *contacts, size_t count,
                                             struct evidence_tree *ret_tree);

/* What the answer to an update showed at its entry; `known` is its verified result. */
CHECKED struct err evidence_tree_of_update(const struct update_response *response,
                                           const struct kt_known *known,
                                           struct evidence_tree *ret_tree);
/* What a step of owner monitoring showed; lookups: all that the owner knows of the label, with the
 * commitments of what may be present. expected: the version that was asked for. ERR_TLOG_LADDER
 * when it needs others. */
CHECKED struct err evidence_tree_of_step(const struct owner_step *step, struct bytes checkpoint,
                                         uint32_t expected, const struct kt_own *own,
                                         struct evidence_tree *ret_tree);

/* Each appends a file, verified before it leaves: errors of evidence_verify. */
CHECKED struct err evidence_roots(struct buf *b, const struct kt_config *config, struct bytes a,
                                  struct bytes other);
CHECKED struct err evidence_sightings(struct buf *b, const struct kt_config *config,
                                      enum evidence_kind kind, const struct evidence_sighting *a,
                                      const struct evidence_sighting *other);
CHECKED struct err evidence_windows(struct buf *b, const struct kt_config *config,
                                    struct bytes note_a, const struct dist_entry *a,
                                    struct bytes note_other, const struct dist_entry *other);
CHECKED struct err evidence_rewritten(struct buf *b, const struct kt_config *config,
                                      const struct evidence_tree *a,
                                      const struct evidence_tree *other);
CHECKED struct err evidence_unsigned(struct buf *b, const struct kt_config *config,
                                     const struct evidence_named *before,
                                     const struct evidence_named *after);
CHECKED struct err evidence_skipped(struct buf *b, const struct kt_config *config,
                                    const struct evidence_named *named);
/* a and other as their responses have them: a checkpoint, and how it extends one of `size`. */
struct evidence_prefix {
    struct bytes note;
    struct hash_run consistency;
};
CHECKED struct err evidence_forked(struct buf *b, const struct kt_config *config, uint64_t size,
                                   const struct evidence_prefix *a,
                                   const struct evidence_prefix *other);

/* What a file proves about the holder of config.signature_key. */
struct evidence {
    enum evidence_kind kind;
    struct kt_config config;
    uint64_t at[2];             /* sizes for roots and forked, else the epochs of the two halves */
    uint8_t index[INDEX_BYTES]; /* rewritten: of the version that is gone or changed;
                                   unsigned: of the KeySet; skipped: of the one left out */
};

/* ERR_TLOG_EVIDENCE: well-formed and signed, but nothing in it contradicts itself. Otherwise the
 * errors of whatever part does not hold. */
CHECKED struct err evidence_verify(struct bytes file, struct evidence *ret_evidence);
/* A sentence for a person. */
const char *evidence_text(enum evidence_kind kind);

#endif
