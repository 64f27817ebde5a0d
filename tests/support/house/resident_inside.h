/* What the files of struct resident share. */
#ifndef TESTS_SUPPORT_RESIDENT_INSIDE_H
#define TESTS_SUPPORT_RESIDENT_INSIDE_H

#include "support/house/resident.h"

const struct suite *resident_suite(void);

void own_package_keys(struct resident *r, struct own_package *p);
void own_package_clear(struct own_package *p);
/* Views into p. */
struct leaf_profile own_package_profile(const struct own_package *p);
struct mls_client own_package_client(const struct resident *r, const struct own_package *p);
void own_package_reference(const struct own_package *p, Hearth__V1__QueueReference *reference);

void membership_clear(struct membership *m);
struct membership *membership_new(struct resident *r);
/* A state key, and the epoch that it came with. */
void membership_key(struct membership *m, const uint8_t key[STATE_KEY_BYTES], uint64_t epoch);
/* K1: `by` was given this KeyPackage of who's; fails the test when somebody was before. */
void resident_taken(struct resident *by, struct resident *who, const struct digest *ref);
/* After the leaf was found, changed or came: signs as it. */
void membership_caller(struct membership *m);
struct mls_group_config membership_config(void);

#endif
