/* The two ends of linking: link.c has the stream, link_new.c and link_old.c what is said. */
#ifndef CLIENT_CORE_LINK_INSIDE_H
#define CLIENT_CORE_LINK_INSIDE_H

#include "client/core/link_seal.h"
#include "client/core/op.h"
#include "tlog/hash_value.h"

enum link_letter {
    LETTER_OFFER = 1, /* opaque user_id<V>; opaque pin[32] */
    /* opaque name<V>; opaque credential_request<V>; opaque queue_auth_key<V>;
     * opaque queue_key<V> */
    LETTER_REQUEST = 2,
    LETTER_SIGN = 3,   /* opaque tbs<V> */
    LETTER_SIGNED = 4, /* opaque signature<V> */
    LETTER_GRANT = 5,  /* Grant */
    LETTER_THANKS = 6,
};

struct linking {
    struct core *core;
    struct hearth_op *op; /* NULL: nobody waits */
    struct hearth_client_call *call;
    struct link_seal seal;
    bool is_new, met, over, said_last;
    enum link_letter expected; /* the next one to come */
    struct buf out;            /* what is left of the letter that is being sent */
    bool sending;
    char device[DEVICE_NAME_MAX_BYTES + 1];
    char domain[DOMAIN_MAX_BYTES + 1];
    struct api_caller caller; /* old */
    /* new */
    struct buf user_id, client_id;
    uint8_t client_uuid[UUID_BYTES], pin[32];
    struct sig_key client_key, queue_client_key;
    struct secret queue_private;
    struct public_key queue_public;
    void (*show)(const char *code, void *arg);
    void *show_arg;
    char code[LINK_CODE_TEXT_BYTES];
    struct hearth_timer *soon; /* shows the code, looks again, sends the grant */
    /* old */
    uint8_t new_uuid[UUID_BYTES];
    struct buf request, tbs, new_key, queue_auth_key, queue_key;
    unsigned looks; /* at whether the log has shown our set; 0 again when the stream is open */
    struct hash_value before, before_of; /* as the log showed it then, and of which set (SHA-256) */
    uint64_t task;                       /* TASK_DEVICE_ADD */
    struct buf credential, signing;
    uint8_t queue_client_id[UUID_BYTES];
    struct hearth_error failed; /* of the task */
};

/* link.c: one letter, sealed in pieces and sent as the stream takes them. */
CHECKED struct err link_say(struct linking *l, enum link_letter kind, struct bytes body);
/* Nothing more to say; what was said still goes. */
void link_close(struct linking *l);
/* It is over: tells who waits (error NULL: it went well), and frees what is left from the loop. */
void link_end(struct linking *l, const struct hearth_error *error);

/* A letter that came, of the kind that was expected. */
CHECKED struct err link_new_hears(struct linking *l, struct bytes body);
CHECKED struct err link_old_hears(struct linking *l, struct bytes body);
/* Old: may our set be changed? ERR_CLIENT_LOG_LATER: the log has not shown yet what it is now. */
CHECKED struct err link_old_ready(struct linking *l);
/* Old: the keys stand. */
CHECKED struct err link_old_begins(struct linking *l);
/* Old, from the loop: the task has ended one way or the other. */
CHECKED struct err link_old_grants(struct linking *l);

#endif
