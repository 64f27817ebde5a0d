/* What the files of server/transparency share: rows. */
#ifndef SERVER_TRANSPARENCY_INSIDE_H
#define SERVER_TRANSPARENCY_INSIDE_H

#include "server/transparency/kt_log.h"
#include "server/transparency/schema.h"

/* ---- trees (trees.c) */

/* The log's hashes. */
struct log_store kt_hashes(struct store_txn *txn);
/* The prefix tree at the end of at->epoch, or, to write, in the midst of it. */
struct prefix_store kt_nodes(struct kt_log_at *at);

/* Where the node of a position stands in the table. */
enum { KT_POS_MAX_BYTES = 2 + INDEX_BYTES };
struct bytes kt_pos(const struct prefix_position *at, uint8_t room[KT_POS_MAX_BYTES]);

/* ---- removing (sweep.c) */

/* ERR_TLOG_GONE: nodes of that epoch's tree may have been removed. */
CHECKED struct err kt_tree_kept(struct store_txn *txn, uint64_t epoch);

/* ---- versions (versions.c) */

/* A version that is in the log; opened from its row. */
struct kt_version {
    struct kt_pair pair;
    uint8_t opening[OPENING_BYTES];
    struct buf value; /* the owner clears it */
};

void kt_label_id(const struct kt_log *log, struct bytes label, uint8_t ret_id[AT_REST_ID_BYTES]);
/* ERR_NOT_FOUND. */
CHECKED struct err kt_version_get(const struct kt_log *log, struct store_txn *txn,
                                  const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                  struct kt_version *ret_version);
CHECKED struct err kt_version_put(const struct kt_log *log, struct store_txn *txn,
                                  const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                  const struct kt_version *row);
/* The same over a row that is there. */
CHECKED struct err kt_version_replace(const struct kt_log *log, struct store_txn *txn,
                                      const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                      const struct kt_version *row);
/* The greatest version added up to an epoch; LADDER_NONE. */
CHECKED struct err kt_version_greatest(const struct kt_log *log, struct store_txn *txn,
                                       const uint8_t id[AT_REST_ID_BYTES], uint64_t epoch,
                                       uint32_t *ret_version);
/* Index and proof of a version that is not there: out of the table of proofs, or made. */
CHECKED struct err kt_proof_get(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                                const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                                struct kt_pair *ret_pair, bool *ret_kept);
/* Keeps the proofs of all absent versions of base_ladder(version). */
CHECKED struct err kt_proofs_keep(const struct kt_log *log, struct store_txn *txn,
                                  struct bytes label, const uint8_t id[AT_REST_ID_BYTES],
                                  uint32_t version);
/* Proofs that an epoch will need for a new version: its own, and those of absent versions of its
 * ladder. Making them is what is dear about a version (a quarter of a millisecond each), so it is
 * done where several threads can, before the version waits; what was not is made by the epoch. */
struct kt_ready {
    struct kt_ready_proof {
        uint32_t version;
        uint8_t index[INDEX_BYTES];
        uint8_t proof[VRF_PROOF_BYTES];
    } at[1 + LADDER_MAX];
    size_t count;
};
/* Those that the table of proofs lacks. Read transaction. */
CHECKED struct err kt_ready_make(const struct kt_log *log, struct store_txn *txn,
                                 struct bytes label, uint32_t version, struct kt_ready *ret_ready);
CHECKED struct err kt_ready_put(const struct kt_log *log, struct store_txn *txn, struct bytes label,
                                const struct kt_ready *ready);
/* Seals or opens what belongs to a row. what: the table. */
CHECKED struct err kt_seal(const struct kt_log *log, const char *what,
                           const uint8_t id[AT_REST_ID_BYTES], uint32_t version, struct bytes plain,
                           struct buf *b);
CHECKED struct err kt_open(const struct kt_log *log, const char *what,
                           const uint8_t id[AT_REST_ID_BYTES], uint32_t version,
                           struct bytes sealed, struct buf *b);

/* ---- C2SP tlog-tiles (tiles.c) */

enum { TILE_WIDTH_MOST = 256, TILE_LEVEL_BITS = 8 };
struct kt_tile {
    unsigned level;
    bool entries; /* of level 0: the entries rather than their hashes */
    uint64_t index;
    unsigned width; /* 1 to TILE_WIDTH_MOST */
};
/* The path below the log's prefix: tile/L/N, tile/entries/N, either with .p/W. False: none. */
bool kt_tile_parse(const char *path, struct kt_tile *ret_tile);
/* Appends it. ERR_NOT_FOUND: it goes beyond what is signed. */
CHECKED struct err kt_tile(const struct kt_source *source, const struct kt_tile *tile,
                           struct buf *b);
CHECKED struct err kt_signed_size(const struct kt_source *source, uint64_t *ret_size);

/* ---- erasing (erase.c) */

/* Of each version that an epoch takes in: one that ends its label has those before it erased
 * KT_ERASE_AFTER_MS later. */
CHECKED struct err kt_ended(struct store_txn *txn, const uint8_t id[AT_REST_ID_BYTES],
                            struct bytes label, uint32_t version, struct bytes value,
                            uint64_t now_ms);

/* ---- epochs (epochs.c) */

struct kt_newest {
    uint64_t epoch; /* 0: none */
    uint64_t ms;
};
CHECKED struct err kt_newest(struct store_txn *txn, struct kt_newest *ret_newest);
CHECKED struct err kt_entry(struct store_txn *txn, uint64_t epoch, struct log_entry *ret_entry);

#endif
