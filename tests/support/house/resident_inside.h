/* What the files of struct resident share. */
#ifndef TESTS_SUPPORT_RESIDENT_INSIDE_H
#define TESTS_SUPPORT_RESIDENT_INSIDE_H

#include "seal/leaf_credential.h"
#include "support/house/resident.h"

const struct suite *resident_suite(void);

void own_package_keys(struct resident *r, struct own_package *p);
void own_package_clear(struct own_package *p);
/* Views into p. */
struct leaf_profile own_package_profile(const struct own_package *p);
struct mls_client own_package_client(struct resident *r, const struct own_package *p);
void own_package_reference(const struct own_package *p, Hearth__V1__QueueReference *reference);

void membership_clear(struct membership *m);
struct membership *membership_new(struct resident *r);
/* The group's id, and with it who owns it. */
void membership_name(struct membership *m, struct bytes group_id);
/* A call to the owner. */
enum hearth_code membership_call(struct membership *m, struct caller *caller, const char *method,
                                 const ProtobufCMessage *in, ProtobufCMessage **out);
/* A state key, and the epoch that it came with. */
void membership_key(struct membership *m, const uint8_t key[STATE_KEY_BYTES], uint64_t epoch);
/* K1: `by` was given this KeyPackage of who's; fails the test when somebody was before. */
void resident_taken(struct resident *by, struct resident *who, const struct digest *ref);
/* After the leaf was found, changed or came: signs as it. */
void membership_caller(struct membership *m);
struct mls_group_config membership_config(void);

/* ---- pieces of requests (pieces.c) */

struct access {
    Hearth__V1__GroupAccess message;
};
void access_of(const struct membership *m, struct access *a);

struct record {
    Hearth__V1__LeafRecord message;
    Hearth__V1__QueueReference reference;
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    uint8_t user_pseudonym[16];
};
struct leaf_news record_news(const struct record *r);
void record_fill(const struct membership *m, const uint8_t pseudonym[16],
                 const uint8_t identity_key[32], const uint8_t user_pseudonym[16],
                 struct record *record);
void record_own(const struct membership *m, struct record *record);

/* Of a GroupInfo what the server can't compute. Owns. */
struct parts {
    Hearth__V1__GroupInfoParts message;
    struct arena arena;
    struct buf extensions;
};
void parts_of(struct bytes group_info, struct parts *p);
void parts_clear(struct parts *p);

#endif
