/* A world of MLS clients of our own and a server that follows them by public data: who sends what
 * is the test's choice, delivery and the check that all agree is done here.
 *
 * The server is a public_group; it takes part as long as handshake messages are public. Any
 * disagreement fails the running cmocka test. Everything comes from one seed, but for the nonces of
 * ECDSA (crypto/sig.h).
 */
#ifndef TESTS_WORLD_WORLD_H
#define TESTS_WORLD_WORLD_H

#include "base/rng.h"
#include "mls/member/group.h"

enum { WORLD_NOW = 1800000000, WORLD_MEMBERS_MAX = 24 };

struct world;

/* What a client's database would hold of its group (mls/member/group_save.h). */
struct world_piece {
    uint64_t epoch;
    uint32_t place;
    struct buf bytes;
};
struct world_store {
    struct buf state;
    struct world_piece *pieces; /* sorted by epoch, then place */
    size_t count;
    size_t written, states; /* bytes and states handed out so far */
};

struct world_client {
    struct world *world;
    struct sig_key key;
    struct sig_key next_key; /* of an Update or commit that changes it; zero when none */
    uint8_t identity[8];
    struct leaf_profile profile;
    struct mls_client client;
    struct mls_group *group;    /* NULL: outside */
    struct mls_group *previous; /* the group before a reinit */
    struct world_store store;
};

struct world {
    const struct suite *suite;
    struct rng_seeded seed;
    struct rng rng;
    struct mls_group_config config;
    struct world_client clients[WORLD_MEMBERS_MAX];
    uint32_t count;
    bool has_server;
    struct public_group server;
    struct arena arena; /* of what is handed out; cleared by world_forget */
    uint64_t groups;    /* made so far, for group ids */
    bool refuse_credentials;
};

void world_init(struct world *w, const struct suite *suite, uint64_t seed, bool public_handshake);
void world_clear(struct world *w);
void world_forget(struct world *w);
uint64_t world_random(struct world *w, uint64_t below);
struct bytes world_take(struct world *w, struct buf *b); /* copies, clears */

/* A client outside any group; new keys for one that has been in. */
struct world_client *world_client_new(struct world *w);
struct bytes world_key_package(struct world *w, struct world_client *c,
                               struct key_package_bundle *ret_bundle);
/* w's group with one member, and the server following. */
void world_found(struct world *w, struct world_client *c, const struct extensions *extensions);
uint32_t world_members(const struct world *w, struct world_client **ret_list);

/* Encoded proposals. */
struct bytes world_add(struct world *w, struct bytes key_package);
struct bytes world_remove(struct world *w, uint32_t leaf);
struct bytes world_psk(struct world *w, struct bytes id);
struct bytes world_resumption(struct world *w, const struct mls_group *g, uint64_t epoch);
struct bytes world_extensions(struct world *w, const struct extensions *extensions);
struct bytes world_reinit(struct world *w, const struct suite *suite);

/* To every member but the sender, and the server. */
void world_deliver_proposal(struct world *w, const struct world_client *from, struct bytes message);
/* The same for a commit (from may be an external joiner): all merge, the sender by
 * group_merge_pending. Removed members are taken out of their group. */
void world_deliver_commit(struct world *w, struct world_client *from, struct bytes message);
/* Joins by Welcome. */
void world_join(struct world *w, struct world_client *c, const struct key_package_bundle *bundle,
                struct bytes welcome, struct bytes tree);
/* Commits and delivers; output's Welcome and GroupInfo in *ret_output, cleared by the caller. */
void world_commit(struct world *w, struct world_client *from, const struct commit_options *options,
                  struct commit_output *ret_output);
/* A group grown to n members, each of which commits once. */
void world_grow(struct world *w, uint32_t n);

/* All members and the server agree: epoch, context, authenticator, exporter. */
void world_check(struct world *w);
/* c sends application data that all others read. */
void world_chat(struct world *w, struct world_client *c);
/* Writes a member's group and reads it again; what is written must not change by that. */
void world_reload(struct world *w, struct world_client *c);
/* Saves what changed in c's group to its store, in a transaction that now and then fails halfway.
 * False then: the store is as it was. */
bool world_save(struct world *w, struct world_client *c);
/* Saves, loads from the store, and compares with the group, which then is the loaded one. */
void world_restore(struct world *w, struct world_client *c);
void world_store_clear(struct world_store *store);

#endif
