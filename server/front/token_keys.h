/* Private keys of the tokens of three days, as the keeper gives them out: asked for once each, kept
 * in memory. One cache for all services; what is spent lies in the database of each. Slots are
 * those of key_schedule.h: what lies in one is of another day once a new day's key takes its place.
 */
#ifndef SERVER_TOKEN_KEYS_H
#define SERVER_TOKEN_KEYS_H

#include <pthread.h>

#include "pass/key_schedule.h"
#include "server/keeper/keeper.h"

enum { TOKEN_KEYS = 3 * (PASS_CLASS_END - 1) };

struct token_keys {
    pthread_mutex_t lock;
    struct pass_issuer_key keys[TOKEN_KEYS]; /* by pass_key_slot; class 0: none yet */
};

void token_keys_init(struct token_keys *keys);
void token_keys_clear(struct token_keys *keys); /* wipes */
/* ERR_PASS_KEY: no class of ours, not one of three days. The keeper's. Wipe the copy. From any
 * thread. */
CHECKED struct err token_keys_get(struct token_keys *keys, struct keeper *keeper,
                                  struct bytes domain, uint8_t class, uint32_t period,
                                  struct pass_issuer_key *ret_key);

#endif
