/* Signing in the kit, for its own files. */
#ifndef TESTS_KIT_KIT_SIGN_H
#define TESTS_KIT_KIT_SIGN_H

#include "kit/mls_kit.h"

struct bytes kit_sign(struct kit *k, const struct sig_key *key, const char *label,
                      struct bytes content);

#endif
