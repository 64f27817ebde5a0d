/* Since when a homeserver's token keys are public (tokens.md 2, pass/key_rules.h): each is noted
 * with the log's entries that were seen to hold it. A key that nobody could see a window before its
 * time is a key for somebody in particular.
 *
 * Who watches a log notes what the searches of each window show. Who is new asks the log what it
 * held then (TASK_LOG_SIGHT, token_sight.c), once for each moment. Where there is no log nothing is
 * known, and the first sight of a key counts.
 */
#ifndef CLIENT_CORE_TOKEN_SEEN_H
#define CLIENT_CORE_TOKEN_SEEN_H

#include "client/core/log.h"
#include "client/core/token.h"
#include "pass/key_rules.h"

/* The log holds this directory: at its newest entry of at_s (unix seconds) or, distinguished, at
 * one of those. Changes *facts. What can be spent no more is forgotten. ERR_NO_MEMORY, errors of
 * pass_directory_parse. */
CHECKED struct err token_seen_note(struct token_facts *facts, struct bytes directory, uint64_t at_s,
                                   bool distinguished, uint64_t now_s);
/* The same of a value of the label "token-keys"; one that can't be read shows no key. */
CHECKED struct err token_seen_value(struct token_facts *facts, struct bytes value, uint64_t at_s,
                                    bool distinguished, uint64_t now_s);
/* The log's system labels were found: what of the directory they show. */
CHECKED struct err token_seen_found(struct core *c, struct db_txn *t, const struct log *log);

enum token_verdict {
    TOKEN_KEY_GOOD, /* ret_sighting is one by which pass/key_rules.h accepts it */
    TOKEN_KEY_ASK,  /* not known: what did the log hold at *ret_ask_s? */
    TOKEN_KEY_LATE, /* it was not there in time */
};
/* Of the directory's key of that type, class and period. ERR_PASS_KEY: there is none. */
CHECKED struct err token_seen_judge(struct db_txn *t, const char *domain, uint16_t token_type,
                                    uint8_t class, uint32_t period, uint64_t now_s,
                                    enum token_verdict *ret_verdict,
                                    struct pass_sighting *ret_sighting, uint64_t *ret_ask_s);
/* Asked, and answered: at that moment the log held what has been noted. */
CHECKED struct err token_seen_asked(struct token_facts *facts, uint64_t asked_s);

/* Leaves a TASK_LOG_SIGHT for what the log held then, unless there is one. */
CHECKED struct err token_sight(struct core *c, struct db_txn *t, const char *domain, uint64_t at_s);

#endif
