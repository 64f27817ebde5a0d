/* The client's side of the authentication service, as far as tests need it: users with clients and
 * their KeySets, handles with their keys. Every function fails the test when something can't be
 * made; what the server answers is returned. */
#ifndef TESTS_SUPPORT_AUTH_PERSON_H
#define TESTS_SUPPORT_AUTH_PERSON_H

#include "seal/connection_package.h"
#include "seal/credential_chain.h"
#include "seal/key_set.h"
#include "seal/names.h"
#include "support/auth/auth_world.h"

enum { PERSON_CLIENTS = 8 };

struct device {
    uint8_t uuid[16];
    struct buf name; /* ClientId */
    struct caller caller;
    bool in_set;
};

struct person {
    struct auth_world *world;
    const char *domain;
    uint8_t uuid[16];
    struct buf user; /* UserId */
    struct device devices[PERSON_CLIENTS];
    size_t device_count;
    uint32_t version;    /* of the set the server has */
    uint8_t next_id;     /* of idempotency ids */
    const char *profile; /* to register with, under an index of 0x77s; or NULL */
    size_t index_bytes;  /* [32] */
};

void person_init(struct person *p, struct auth_world *w);
void person_init_at(struct person *p, struct auth_world *w, const char *domain);
void person_clear(struct person *p);
/* A further device with a key, not in the set. */
struct device *person_add_device(struct person *p);

/* What may be wrong with a KeySet. */
struct set_faults {
    bool reset, wrong_label, wrong_version, unsigned_by_old, unsigned_by_new, other_key, extra,
        no_authority, changes_other, recovery_key;
};
/* The next version with exactly the devices that are `in_set`; signed by those that are new and by
 * `by` (NULL: the first that was in the set before). Appends. */
void person_key_set(struct person *p, uint32_t version, const struct device *by,
                    const struct device *added, const struct set_faults *faults, struct buf *b);
void device_request(const struct device *d, struct buf *b);

/* Idempotency ids: 16 bytes that differ from each other. */
void person_next_id(struct person *p, uint8_t id[16]);

/* With an invitation of the operator's. */
enum hearth_code person_register(struct person *p);
enum hearth_code person_register_with(struct person *p, const uint8_t code[16],
                                      const uint8_t idempotency[16],
                                      const struct set_faults *faults,
                                      Hearth__V1__RegisterUserResponse **out);
enum hearth_code person_add_client(struct person *p, struct device *by, struct device *added,
                                   const struct set_faults *faults);
enum hearth_code person_remove_client(struct person *p, struct device *by, struct device *gone,
                                      const uint8_t idempotency[16]);
enum hearth_code person_delete(struct person *p, struct device *by, const uint8_t idempotency[16]);
enum hearth_code person_list(struct person *p, struct device *by,
                             Hearth__V1__ListClientsResponse **out);
enum hearth_code person_stage_profile(struct person *p, struct device *by, uint8_t index,
                                      struct bytes profile);
enum hearth_code person_commit_profile(struct person *p, struct device *by);
enum hearth_code world_get_profile(struct auth_world *w, uint8_t index, struct buf *profile);

/* ---- handles */

struct owner {
    struct auth_world *world;
    uint8_t hash[32];
    struct caller caller;
    uint32_t version; /* the next of the label */
    uint8_t next_id;
};
void owner_init(struct owner *o, struct auth_world *w, uint8_t hash);
void owner_clear(struct owner *o);
/* clients: 1, or 0 for the last version. */
void owner_key_set(const struct owner *o, uint32_t version, size_t clients, bool reset,
                   struct buf *b);
enum hearth_code owner_create(struct owner *o, const uint8_t idempotency[16], bool reset);
enum hearth_code owner_delete(struct owner *o, const uint8_t idempotency[16]);
/* Asks for another key, with two packages under it; what o keeps stays as it was. by_next: signed
 * as a repeat is, by the new one. */
struct rotate_faults {
    bool reset, wrong_label, wrong_version, unsigned_by_old, same_key, old_packages, by_next;
};
enum hearth_code owner_rotate(struct owner *o, const uint8_t idempotency[16], struct sig_key *next,
                              const struct rotate_faults *faults);
enum hearth_code owner_publish(struct owner *o, size_t single_use, bool last_resort);
void owner_package(const struct owner *o, uint8_t number, bool last_resort, uint64_t days,
                   struct buf *b);
/* fetch; the package in *package, or what the call ended with. */
void owner_fetch(struct owner *o, struct auth_stream *s);
const Hearth__V1__ConnectionPackage *fetched(const struct auth_stream *s);
void stream_offer(struct auth_stream *s, struct bytes sealed);
/* Begins to listen. */
void owner_listen(struct owner *o, struct auth_stream *s);
void owner_ack(struct auth_stream *s, uint64_t up_to);
const Hearth__V1__ListenHandleResponse *offer_at(const struct auth_stream *s, size_t i);

#endif
