/* The operator's verbs (F3): hearth.v1.Admin on a Unix socket in the data folder, which only the
 * server's own user and root may use, whatever the file's mode says. No content and no social graph
 * is ever shown.
 *
 * It is a server of its own with one thread, so a verb may take its time (a backup) and nothing
 * else waits.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include "server/front/front.h"

enum { ADMIN_WHY_BYTES = 512, ADMIN_MODE_BYTES = 16 };

/* What may be known of a user. */
struct admin_user {
    uint32_t clients;
    uint32_t seen_month; /* since January 1970; 0: never */
    bool suspended;
};

/* What is known of a peer; texts are borrowed. */
struct admin_peer {
    struct bytes domain;
    int rule; /* hearth.v1.PeerRule */
    bool admitted, reached, heard;
    uint64_t rows, bytes;
    uint32_t failures, next_attempt_s, banned_s, key_days, unreachable_h;
    const char *why, *key_why;
    struct bytes root, other_root; /* fingerprints: known; shown instead. Empty: none */
    uint64_t log_size;
    const char *log_why;
    struct bytes log_evidence;
};

struct admin;

/* What `main` does for the verbs; all run on the admin server's thread. A NULL member answers
 * UNIMPLEMENTED. */
struct admin_verbs {
    void *self;
    uint64_t (*uptime_s)(void *self);
    bool (*draining)(void *self);
    /* Calls say for every number worth showing. */
    void (*metrics)(void *self, void (*say)(void *to, const char *name, uint64_t value), void *to);
    /* Makes so many invitations, or none; calls say for each, as text to be handed on. */
    struct err (*invite)(void *self, unsigned count, unsigned days,
                         void (*say)(void *to, const char *text), void *to);
    /* Reads configuration and certificates again. Calls say for settings that changed, restart
     * tells those that wait for one. On error the old configuration stays and ret_why says why. */
    struct err (*reload)(void *self, void (*say)(void *to, bool restart, const char *name),
                         void *to, char ret_why[ADMIN_WHY_BYTES]);
    void (*drain)(void *self, uint32_t grace_s);
    struct err (*backup)(void *self, const char *folder, uint64_t *ret_bytes,
                         char ret_why[ADMIN_WHY_BYTES]);
    /* anyway: see keeper_rotate_anyway */
    struct err (*rotate)(void *self, enum keeper_signer signer, bool anyway,
                         uint8_t ret_fingerprint[32]);
    struct err (*rotate_queue_key)(void *self, bool anyway, uint8_t ret_fingerprint[32]);
    /* Calls say for each count. */
    struct err (*statistics)(void *self, void (*say)(void *to, const char *name, uint64_t value),
                             void *to);
    /* A user by the uuid of its UserId; ERR_NOT_FOUND. */
    struct err (*user_show)(void *self, const uint8_t uuid[16], struct admin_user *ret_user);
    struct err (*user_suspend)(void *self, const uint8_t uuid[16], bool suspended);
    struct err (*user_remove)(void *self, const uint8_t uuid[16]);
    /* Calls each for reports above `after`, oldest first; appends what one says; drops one.
     * ERR_NOT_FOUND. */
    struct err (*report_list)(void *self, uint64_t after,
                              void (*each)(void *to, uint64_t number, uint64_t day, uint64_t bytes),
                              void *to);
    struct err (*report_read)(void *self, uint64_t number, struct buf *b, uint64_t *ret_day);
    struct err (*report_drop)(void *self, uint64_t number);
    /* Appends the newest checkpoint of the log with its cosignatures. ERR_NOT_FOUND. */
    struct err (*log_head)(void *self, struct buf *note, uint64_t *ret_size, uint64_t *ret_time_s);
    /* Appends the newest checkpoint that has cosignatures; ERR_NOT_FOUND. With log_head. */
    struct err (*log_cosigned)(void *self, struct buf *note);
    /* Appends the verifier key of this homeserver as a witness; with log_head. */
    struct err (*witness_key)(void *self, struct buf *text);
    /* Calls say for each peer, or for the one with this name alone (it may be unknown); writes the
     * mode in force. */
    void (*peers)(void *self, struct bytes domain,
                  void (*say)(void *to, const struct admin_peer *peer), void *to,
                  char ret_mode[ADMIN_MODE_BYTES]);
    /* What waits for the peer is due now; or is given up, with notices. ERR_NOT_FOUND. */
    struct err (*peer_retry)(void *self, struct bytes domain);
    struct err (*peer_drop)(void *self, struct bytes domain);
    /* Its keys are those under this root from now on; as federation_accept_root. */
    struct err (*peer_accept)(void *self, struct bytes domain, const uint8_t root[32]);
};

/* path: of the socket; what an earlier server left there is replaced. The folder it lies in must be
 * mode 0700. ERR_ADDRESS; ERR_IO. verbs are copied. */
CHECKED struct err admin_open(const struct front_env *env, const char *path,
                              const struct admin_verbs *verbs, struct admin **ret_admin);
void admin_close(struct admin *admin);

#endif
