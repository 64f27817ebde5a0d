/* The verifiable log of each homeserver, as this client sees it (docs/log.md; transparency.md 8 to
 * 11, 15): what it has verified so far (DB_LOG, id domain), and what it knows of labels in it
 * (DB_LOG_LABEL, id opaque domain<V> || label).
 *
 * The first contact pins the configuration (leaf 0); from then on every answer must extend what was
 * seen. A homeserver that never had a log is UNLOGGED, which people are shown; one that had a log
 * and denies it, or signed what can't all be true, is distrusted until a person decides.
 *
 * Searches are tasks (TASK_LOG), one at a time for each homeserver, since each answer is verified
 * against what was seen when it was asked for. Whoever waits for one is woken when it has ended.
 */
#ifndef CLIENT_CORE_LOG_H
#define CLIENT_CORE_LOG_H

#include "client/core/core.h"
#include "tlog/verify.h"

/* ---- rows */

enum log_state { LOG_UNKNOWN = 0, LOG_UNLOGGED = 1, LOG_HELD = 2 };
enum { LOG_SEEN_MAX = 4, LOG_OWN_MAX = 96, LOG_RESPONSE_KEPT_BYTES = 65536 };

/* A distinguished entry as it was shown, for whoever has to prove it. */
struct log_seen {
    struct buf note, dist; /* signed note; DistEntry under it */
};
/* About 3 kB; clear it. */
struct log {
    char domain[DOMAIN_MAX_BYTES + 1];
    enum log_state state;
    uint64_t asked_ms;   /* UNLOGGED: when it said so; HELD: the newest answer that verified */
    bool distrusted;     /* until a person decides */
    bool overdue;        /* people were told that it stands still */
    uint64_t doubted_ms; /* a member spoke against it without proof; 0: never */
    uint64_t watched_ms; /* the monitoring of a window ended then; 0: never */
    struct kt_view view; /* HELD */
    struct log_seen seen[LOG_SEEN_MAX]; /* oldest first */
    size_t seen_count;
};
void log_clear(struct log *log);
/* The row; UNKNOWN where there is none. */
CHECKED struct err log_get(struct db_txn *t, const char *domain, struct log *ret_log);
CHECKED struct err log_put(struct db_txn *t, const struct log *log);
/* What the row is (log_row.c). ERR_STORE_CORRUPT: it can't be read, and there is nothing to clear.
 */
void log_write(struct buf *b, const struct log *log);
CHECKED struct err log_read(struct bytes in, struct log *ret_log);
CHECKED struct err log_each(struct core *c, struct db_txn *t,
                            struct err (*fn)(void *arg, const struct log *log), void *arg);

/* Bits: why we look at a label. */
enum log_role {
    LOG_OWN = 1,     /* of this account: monitored each window */
    LOG_CONTACT = 2, /* of a contact or member: searched again when keys of his come */
    LOG_SYSTEM = 4,  /* of the homeserver: searched again each window */
    LOG_PROVEN = 8,  /* of a member who proves it himself (log_proof.h) */
};
/* About 16 kB: on the heap. */
struct log_label {
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf label;
    uint8_t roles;
    uint64_t task;       /* the search under way, or 0 */
    uint64_t checked_ms; /* the newest search that verified; 0: none */
    bool bad;            /* the log shows another value than was served, or an impossible one */
    struct kt_known known;
    enum kt_continuity continuity; /* as the newest search found it */
    uint8_t opening[OPENING_BYTES];
    struct hash_value commitment;
    struct buf value;    /* of known.version */
    struct buf response; /* SearchResponse that showed `known`: one half of evidence */
    uint64_t behind_ms;  /* since when we hold a KeySet that the log does not have yet; 0: no */
    /* own labels */
    struct kt_dist watched; /* monitored up to there; index 0: not yet */
    struct kt_lookup own[LOG_OWN_MAX];
    size_t own_count;
    /* the newest LogReceipt of a change of ours (log_receipt.h); empty: none */
    struct buf receipt, receipt_value;
    uint32_t receipt_version;
    uint64_t skip_looked; /* versions left out were looked for up to this distinguished entry */
    bool receipt_shown;   /* the log has shown that it holds what it promised */
    uint64_t awaited_ms;  /* a member's own proof is waited for since then (log_proof.h); 0: no */
    struct buf proof;     /* of our own label: the KtProof that we send; else empty */
};
CHECKED struct err log_label_new(const char *domain, struct bytes label,
                                 struct log_label **ret_label);
void log_label_free(struct log_label *label); /* NULL is fine */
/* ERR_NOT_FOUND. */
CHECKED struct err log_label_get(struct db_txn *t, const char *domain, struct bytes label,
                                 struct log_label **ret_label);
CHECKED struct err log_label_put(struct db_txn *t, const struct log_label *label);
void log_label_write(struct buf *b, const struct log_label *label);
CHECKED struct err log_label_read(struct bytes in, struct log_label **ret_label);
/* Of one homeserver (NULL: of all). */
CHECKED struct err log_label_each(struct db_txn *t, const char *domain,
                                  struct err (*fn)(void *arg, struct log_label *label), void *arg);

/* ---- asking */

/* Leaves a search, unless one is under way. roles are added to the label's. */
CHECKED struct err log_search(struct core *c, struct db_txn *t, const char *domain,
                              struct bytes label, unsigned roles, uint64_t *ret_task);

enum log_says {
    LOG_SAYS_LATER,    /* being asked: those who wait are woken */
    LOG_SAYS_GOOD,     /* this value is the newest version */
    LOG_SAYS_UNLOGGED, /* the homeserver has no log, and never had one */
    LOG_SAYS_OTHER,    /* another value under this version, or the log is not to be trusted */
    LOG_SAYS_BEHIND,   /* the log's newest version is older, or there is none */
    LOG_SAYS_NEWER,    /* the log has a newer one */
};
enum { LOG_FRESH_MS = 60 * 1000 };
/* What the log says of a KeySet that somebody served, by a search of at most max_age_ms ago; else
 * one is left. label is the KeySet's own. */
CHECKED struct err log_says_of(struct core *c, struct db_txn *t, const char *domain,
                               struct bytes key_set, unsigned roles, uint64_t max_age_ms,
                               enum log_says *ret_says);

/* Keys of a contact came: searches for his client set. changed: they were replaced. */
CHECKED struct err log_contact(struct core *c, struct db_txn *t, struct bytes user_id,
                               bool changed);

/* ---- a homeserver's own keys (log_keys.c) */

/* GetKeys answered: SystemKeys (seal/system_keys.h), one after the other. They are searched for. */
CHECKED struct err log_keys_claim(struct core *c, struct db_txn *t, const char *domain,
                                  struct bytes keys);
/* May they be used? ERR_CLIENT_LOG_LATER: being asked; ERR_CLIENT_LOG: the log shows others. */
CHECKED struct err log_keys_gate(struct db_txn *t, const char *domain);

/* ---- our own labels */

/* After registering, opening, and each own change: searches for our client set and handles. */
CHECKED struct err log_own(struct core *c, struct db_txn *t);
/* Daily, and when an account is opened: where our homeserver had no log, it may have one now. */
CHECKED struct err log_upkeep(struct core *c, struct db_txn *t);
/* The log's commitment of our own newest KeySet of this label, for prev_commitment of the next one;
 * SHA-256 of `before` where the homeserver has no log. ERR_CLIENT_LOG_LATER: it is being asked. */
CHECKED struct err log_commitment_before(struct core *c, struct db_txn *t, struct bytes before,
                                         uint8_t ret_commitment[HASH_VALUE_BYTES]);

/* ---- heads inside groups (log_heads.c) */

/* Says in a chat what we were shown of the logs that concern it; in all chats. */
CHECKED struct err log_heads_say(struct core *c, struct db_txn *t, const struct hearth_id *chat);
CHECKED struct err log_heads_say_all(struct core *c, struct db_txn *t);
/* A member says so. */
CHECKED struct err log_heads_hear(struct core *c, struct db_txn *t, struct bytes body);

/* ---- what goes wrong */

/* An error that the log answered with: event, evidence where there can be any. Marks what is not to
 * be trusted; log and label (may be NULL) are changed, not written. fresh (may be empty): the
 * answer of a search from the configuration on, with its result. */
struct log_trouble {
    struct err why;
    struct bytes bad;                 /* the answer that failed */
    struct bytes fresh;               /* SearchResponse */
    const struct kt_result *fresh_is; /* verified, as an opaque value */
    const struct kt_view *fresh_view;
    const char *what; /* for people */
};
CHECKED struct err log_report(struct core *c, struct db_txn *t, struct log *log,
                              struct log_label *label, const struct log_trouble *trouble);
/* An event and nothing more: result HEARTH_UNVERIFIED. number of the evidence, 0: none. */
CHECKED struct err log_alarm(struct core *c, struct db_txn *t, const struct hearth_id *contact,
                             uint64_t evidence, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same where nothing is wrong: result HEARTH_DONE. */
CHECKED struct err log_notice(struct core *c, struct db_txn *t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Evidence files (DB_LOG_EVIDENCE), numbered from 1. Appends to file. ERR_NOT_FOUND. */
CHECKED struct err log_evidence_put(struct db_txn *t, struct bytes file, uint64_t *ret_number);
CHECKED struct err log_evidence_get(struct db_txn *t, uint64_t number, struct buf *file);

/* All that is watched is looked at now. */
CHECKED struct err log_watch_now(struct core *c, struct db_txn *t);
/* A person decides to go on with a homeserver: its log is met anew. ERR_NOT_FOUND. */
CHECKED struct err log_accept(struct core *c, struct db_txn *t, const char *domain);
/* ... with a contact, whose keys he has compared. */
CHECKED struct err log_accept_user(struct core *c, struct db_txn *t, struct bytes user_id);

/* ---- what files of this matter share */

/* A search was verified: compares with what we hold, tells people, wakes who waits. */
CHECKED struct err log_found(struct core *c, struct db_txn *t, const struct log *log,
                             struct log_label *label, bool news);
/* "a.test" of a UserId label; false for others. */
bool log_label_domain(struct bytes label, char ret_domain[DOMAIN_MAX_BYTES + 1]);
void log_lane(const char *domain, uint8_t ret_lane[16]);

#endif
