/* The client library: an account on one device, with its encrypted file and its connections.
 *
 * Everything is durable before it is attempted: a verb writes down what is wanted and returns an
 * operation; the library carries it out, repeats what was not answered, goes on after a restart and
 * tells the end. What arrives is stored, together with the keys that it used up, before it is
 * acknowledged, and handed out as numbered events that stay until they are taken.
 *
 *     struct hearth_account *alice;
 *     struct hearth_error error;
 *     struct hearth_account_options options = {.size = sizeof options, .path = "alice.db"};
 *     options.passphrase = "...";
 *     hearth_account_open(&options, &alice, &error);
 *     hearth_op_wait(alice, hearth_send(alice, &chat, "hello"), 10000, &error);
 *
 * Blocking: hearth_op_wait, hearth_account_wait. Event-driven: give options.loop (or options.base),
 * hearth_op_on_done, hearth_account_on_event. There are no hidden threads: work is done inside the
 * caller's loop or inside the waiting functions. One account belongs to one thread at a time.
 *
 * Option structs begin with their size, which tells the library which fields the caller knows; the
 * rest counts as zero, and zero is always the default. Texts are UTF-8 and end with NUL; what a
 * listing hands out lives until its callback
 * returns, and inside that callback nothing else of the account may be called. Times are
 * milliseconds since 1970 where the name says _ms, seconds where it says _s.
 */
#ifndef HEARTH_CLIENT_H
#define HEARTH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct event_base;
struct hearth_loop;
struct hearth_account;
struct hearth_op;

/* ---- errors */

/* What kind of end it was; the CLI's exit codes follow from it. Append, never renumber. */
enum hearth_result {
    HEARTH_DONE = 0,
    HEARTH_FAILED = 1,     /* said by `code`, an error of the library's list or a gRPC status */
    HEARTH_USAGE = 2,      /* an argument that can't be right */
    HEARTH_UNVERIFIED = 3, /* a signature, a key or the log does not hold: nothing was done */
    HEARTH_NOT_THERE = 4,  /* not known locally */
    HEARTH_TIMED_OUT = 5,  /* the wait ended; the operation goes on */
    HEARTH_REFUSED = 6,    /* by a server; grpc tells how */
};

/* The zero state is no error. */
struct hearth_error {
    enum hearth_result result;
    int grpc;         /* gRPC status of a refusal, else 0 */
    uint32_t retry_s; /* when to try again, 0: not said */
    char name[40];    /* stable, for programs: "WRONG_EPOCH" */
    char text[200];   /* one sentence: what */
    char cause[200];  /* why; may be empty */
    char hint[200];   /* what to do; may be empty */
};
/* "text: cause; hint", cut to len. Returns buffer. */
const char *hearth_error_text(const struct hearth_error *error, char *buffer, size_t len);

/* ---- ids */

/* Of chats, contacts, messages and devices; made here, meaningless elsewhere. */
struct hearth_id {
    uint8_t bytes[16];
};
enum { HEARTH_ID_TEXT_BYTES = 33 };
void hearth_id_text(const struct hearth_id *id, char ret_text[HEARTH_ID_TEXT_BYTES]);
bool hearth_id_read(const char *text, struct hearth_id *ret_id);
bool hearth_id_equal(const struct hearth_id *a, const struct hearth_id *b);

/* ---- an account's file and life */

struct hearth_account_options {
    size_t size;
    const char *path;         /* the database; made with mode 0600 by hearth_account_create */
    const char *passphrase;   /* of the file; or */
    const uint8_t *key;       /* 32 bytes */
    struct hearth_loop *loop; /* event-driven use on a loop of rpc.h; or */
    struct event_base *base;  /* on libevent's; neither: driven by the waiting functions */
    const char *ca_file;      /* PEM roots for the homeservers' TLS; NULL: the system's */
    const char *homeservers;  /* where domains are, for those not found by DNS (SRV records of
                                 _hearth._tcp.DOMAIN, else the domain itself at port 443):
                                 "a.test=127.0.0.1:7443,..." */
    const char *user_agent;
    const char *dns_servers; /* "192.0.2.1:53,..."; NULL: those of the machine */
};

/* A new file. Nothing is registered yet: hearth_register or hearth_link follows. */
bool hearth_account_create(const struct hearth_account_options *options,
                           struct hearth_account **ret_account, struct hearth_error *ret_error);
/* An existing one; what was under way goes on as soon as the loop runs. */
bool hearth_account_open(const struct hearth_account_options *options,
                         struct hearth_account **ret_account, struct hearth_error *ret_error);
/* Stops; nothing is lost. Operations and views are gone. NULL is fine. */
void hearth_account_close(struct hearth_account *account);

struct hearth_account_info {
    bool registered;
    const char *domain;
    const char *device; /* this device's name */
    const char *name;   /* display name, or "" */
    uint8_t user_id[16], device_id[16];
    uint64_t credential_until_s;
    uint32_t key_packages_left; /* as far as known */
    uint64_t queue_sequence;    /* items received so far */
    uint32_t tasks;             /* operations not ended */
};
#ifdef __cplusplus /* where -Wshadow takes the function for one that hides the struct */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
void hearth_account_info(struct hearth_account *account, struct hearth_account_info *ret_info);
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

/* Tokens pay for calls of a homeserver that wants them: fetched ahead, and nobody can tell who
 * fetched which. The stock, of classes delivery, queue, transparency, auth and attachments. */
enum { HEARTH_TOKEN_CLASSES = 5 };
struct hearth_tokens {
    bool required; /* our homeserver has asked for some */
    uint32_t now[HEARTH_TOKEN_CLASSES], tomorrow[HEARTH_TOKEN_CLASSES];
};
void hearth_account_tokens(struct hearth_account *account, struct hearth_tokens *ret_tokens);

/* ---- operations */

/* Blocks until the operation has ended or timeout_ms are over (0: no limit); frees it. On time-out
 * the operation goes on in the background, its end becomes an event. op NULL: what went wrong at
 * once is in the error that the account kept. */
enum hearth_result hearth_op_wait(struct hearth_account *account, struct hearth_op *op,
                                  uint32_t timeout_ms, struct hearth_error *ret_error);
/* Event-driven: done runs once, from the loop; the operation is freed afterwards. */
void hearth_op_on_done(struct hearth_op *op,
                       void (*done)(const struct hearth_error *result, void *arg), void *arg);
/* What it made: the chat, contact, message or device; valid from the start where the verb says so.
 */
struct hearth_id hearth_op_id(const struct hearth_op *op);
/* Progress of long transfers. */
void hearth_op_on_progress(struct hearth_op *op,
                           void (*progress)(uint64_t done, uint64_t all, void *arg), void *arg);
/* Forgets the handle; the operation goes on. */
void hearth_op_detach(struct hearth_op *op);

/* Every verb below returns NULL when it can't begin: hearth_account_error tells why. */
void hearth_account_error(struct hearth_account *account, struct hearth_error *ret_error);

/* ---- registering, devices */

struct hearth_register_options {
    size_t size;
    const char *invitation; /* "a.test/K7QM-..."; or */
    const char *domain;     /* of a homeserver with open registration */
    const char
        *root_pin; /* with domain: hex of the root's fingerprint, or NULL: trust at first use */
    const char *handle; /* local part, taken at once; NULL: none */
    const char *device; /* this device's name ["device"] */
    const char *name;   /* display name; NULL: none */
};
/* Where registering is under way already (it was interrupted), that operation, whatever the options
 * say. */
struct hearth_op *hearth_register(struct hearth_account *account,
                                  const struct hearth_register_options *options);
/* Deletes the user at the homeserver and everything in the file. */
struct hearth_op *hearth_unregister(struct hearth_account *account);

/* A new device joins a user. It shows a code that the existing device is given: code is told
 * through show as soon as the relay waits. */
struct hearth_link_options {
    size_t size;
    const char *domain;
    const char *device;
    void (*show)(const char *code, void *arg);
    void *arg;
};
struct hearth_op *hearth_link(struct hearth_account *account,
                              const struct hearth_link_options *options);
/* On the existing device. */
struct hearth_op *hearth_link_accept(struct hearth_account *account, const char *code);

struct hearth_device {
    struct hearth_id id;
    const char *name;
    bool self;
    uint64_t added_ms;
};
bool hearth_device_each(struct hearth_account *account,
                        bool (*fn)(const struct hearth_device *device, void *arg), void *arg);
struct hearth_op *hearth_device_remove(struct hearth_account *account,
                                       const struct hearth_id *device);

/* ---- handles */

struct hearth_op *hearth_handle_add(struct hearth_account *account, const char *local);
struct hearth_op *hearth_handle_remove(struct hearth_account *account, const char *local);
/* Another key for it, signed by the one before: whoever has that (a device that was lost) can do
 * nothing with it any more. Is done by itself when a device is removed. */
struct hearth_op *hearth_handle_rotate(struct hearth_account *account, const char *local);
bool hearth_handle_each(struct hearth_account *account, bool (*fn)(const char *handle, void *arg),
                        void *arg);

/* ---- contacts */

enum hearth_contact_state {
    HEARTH_CONTACT_ASKED = 1, /* by us, not answered yet */
    HEARTH_CONTACT_ASKS = 2,  /* us, not answered yet */
    HEARTH_CONTACT_FRIEND = 3,
    HEARTH_CONTACT_REFUSED = 4, /* us */
    HEARTH_CONTACT_REMOVED = 5,
};
struct hearth_contact {
    struct hearth_id id;
    enum hearth_contact_state state;
    const char *handle;    /* "bob@b.test"; of one who asks: as he says */
    const char *name;      /* from the profile, or "" */
    struct hearth_id chat; /* with him alone; zeros while there is none */
    bool compared;         /* the safety number was */
    bool changed;          /* keys were replaced without authority since */
    uint32_t devices;
};
bool hearth_contact_each(struct hearth_account *account,
                         bool (*fn)(const struct hearth_contact *contact, void *arg), void *arg);
/* One; its texts live until the next call of this function. */
bool hearth_contact_get(struct hearth_account *account, const struct hearth_id *contact,
                        struct hearth_contact *ret_contact);
/* By handle, or by the hex of the id. */
bool hearth_contact_find(struct hearth_account *account, const char *name,
                         struct hearth_id *ret_contact);
/* Done when the request is left at the other homeserver; the answer is an event. The contact's id
 * and its chat's are valid from the start. */
struct hearth_op *hearth_contact_add(struct hearth_account *account, const char *handle);
struct hearth_op *hearth_contact_accept(struct hearth_account *account,
                                        const struct hearth_id *contact);
struct hearth_op *hearth_contact_refuse(struct hearth_account *account,
                                        const struct hearth_id *contact);
/* Revokes his token and gives all others new friendship keys. */
struct hearth_op *hearth_contact_remove(struct hearth_account *account,
                                        const struct hearth_id *contact);

/* ---- chats: with a contact alone, or groups */

enum hearth_chat_kind { HEARTH_CHAT_DIRECT = 1, HEARTH_CHAT_GROUP = 2 };
enum hearth_chat_state {
    HEARTH_CHAT_STARTING = 1, /* not at the server yet, or waiting for the contact */
    HEARTH_CHAT_OPEN = 2,
    HEARTH_CHAT_BROKEN = 3, /* lost step; being joined again */
    HEARTH_CHAT_OVER = 4,   /* left, removed or deleted; messages stay readable */
};
enum hearth_notify {
    HEARTH_NOTIFY_ALL = 1,
    HEARTH_NOTIFY_DIRECT = 2, /* what is sent to us alone */
    HEARTH_NOTIFY_NONE = 3,
};
struct hearth_chat {
    struct hearth_id id;
    enum hearth_chat_kind kind;
    enum hearth_chat_state state;
    const char *name;    /* of the group, or the contact's handle */
    bool admin;          /* we are */
    uint32_t members;    /* users */
    uint32_t leaves;     /* devices */
    uint32_t unverified; /* leaves whose identity does not hold: nothing is sent until they go */
    uint64_t epoch;
    uint64_t messages; /* number of the last one */
    uint64_t seen;     /* hearth_chat_mark_seen */
    enum hearth_notify notify;
};
bool hearth_chat_each(struct hearth_account *account,
                      bool (*fn)(const struct hearth_chat *chat, void *arg), void *arg);
/* One; its texts live until the next call of this function. */
bool hearth_chat_get(struct hearth_account *account, const struct hearth_id *chat,
                     struct hearth_chat *ret_chat);
/* By a group's name, a contact's handle, or the hex of the id. */
bool hearth_chat_find(struct hearth_account *account, const char *name, struct hearth_id *ret_chat);

struct hearth_member {
    uint8_t pseudonym[16]; /* the user's in this group: names him in the verbs below */
    const char *name; /* handle of a contact, else the profile's name, else hex of the pseudonym */
    struct hearth_id contact; /* zeros: none of ours */
    bool self, admin, verified;
    uint32_t devices;
    uint64_t joined_s;
};
bool hearth_member_each(struct hearth_account *account, const struct hearth_id *chat,
                        bool (*fn)(const struct hearth_member *member, void *arg), void *arg);

struct hearth_op *hearth_group_create(struct hearth_account *account, const char *name);
/* With all of the contact's devices. */
struct hearth_op *hearth_group_add(struct hearth_account *account, const struct hearth_id *chat,
                                   const struct hearth_id *contacts, size_t count);
struct hearth_op *hearth_group_remove(struct hearth_account *account, const struct hearth_id *chat,
                                      const uint8_t pseudonym[16]);
struct hearth_op *hearth_group_set_admin(struct hearth_account *account,
                                         const struct hearth_id *chat, const uint8_t pseudonym[16],
                                         bool admin);
struct hearth_op *hearth_group_rename(struct hearth_account *account, const struct hearth_id *chat,
                                      const char *name);
struct hearth_op *hearth_group_leave(struct hearth_account *account, const struct hearth_id *chat);
struct hearth_op *hearth_group_delete(struct hearth_account *account, const struct hearth_id *chat);
/* Fresh keys for our leaf. */
struct hearth_op *hearth_group_update(struct hearth_account *account, const struct hearth_id *chat);
/* Joins again, when the group's state was lost; done by itself where it is noticed. */
struct hearth_op *hearth_group_resync(struct hearth_account *account, const struct hearth_id *chat);
struct hearth_op *hearth_group_set_notify(struct hearth_account *account,
                                          const struct hearth_id *chat, enum hearth_notify notify);

/* ---- messages */

enum hearth_message_kind {
    HEARTH_MESSAGE_TEXT = 1,
    HEARTH_MESSAGE_FILE = 2,
    HEARTH_MESSAGE_NOTE = 3, /* by the library: who came, who left, what was lost */
};
enum hearth_message_state {
    HEARTH_MESSAGE_RECEIVED = 1,
    HEARTH_MESSAGE_WAITING = 2, /* ours, not accepted by the server yet */
    HEARTH_MESSAGE_SENT = 3,
    HEARTH_MESSAGE_FAILED = 4,
};
struct hearth_message {
    struct hearth_id chat;
    uint64_t number;     /* in the chat, dense from 1 */
    struct hearth_id id; /* the sender's */
    enum hearth_message_kind kind;
    enum hearth_message_state state;
    bool own, targeted;
    uint8_t sender[16]; /* pseudonym */
    const char *sender_name;
    bool sender_verified;
    uint64_t sent_ms;    /* by the sender's clock */
    uint64_t accepted_s; /* by the server's; 0: not yet */
    const char *text;    /* of a file: its name */
    uint64_t file_bytes;
};
/* From number on, at most so many (0: all). False: the chat is not there. */
bool hearth_message_each(struct hearth_account *account, const struct hearth_id *chat,
                         uint64_t from, size_t most,
                         bool (*fn)(const struct hearth_message *message, void *arg), void *arg);
bool hearth_chat_mark_seen(struct hearth_account *account, const struct hearth_id *chat,
                           uint64_t number);

/* Stored, then sent; the operation ends when the homeserver has it durably. */
struct hearth_op *hearth_send(struct hearth_account *account, const struct hearth_id *chat,
                              const char *text);
/* To one member, all of his devices. */
struct hearth_op *hearth_send_to(struct hearth_account *account, const struct hearth_id *chat,
                                 const uint8_t pseudonym[16], const char *text);
/* Encrypts and uploads, then sends the keys as a message. */
struct hearth_op *hearth_file_send(struct hearth_account *account, const struct hearth_id *chat,
                                   const char *path);
/* Downloads and decrypts into a file that must not exist. */
struct hearth_op *hearth_file_get(struct hearth_account *account, const struct hearth_id *chat,
                                  uint64_t number, const char *path);

/* ---- profile */

struct hearth_op *hearth_profile_set(struct hearth_account *account, const char *name,
                                     const void *picture, size_t picture_bytes);

/* ---- comparing */

enum { HEARTH_SAFETY_TEXT_BYTES = 12 * 6 + 1, HEARTH_SAFETY_QR_BYTES = 100 };
/* 60 digits in twelve groups of five, the same on both sides, and what a QR code holds. */
struct hearth_safety {
    char digits[HEARTH_SAFETY_TEXT_BYTES];
    uint8_t qr[HEARTH_SAFETY_QR_BYTES];
    size_t qr_bytes;
};
bool hearth_safety_number(struct hearth_account *account, const struct hearth_id *contact,
                          struct hearth_safety *ret_safety);
/* Does the other side's QR code say the same? HEARTH_UNVERIFIED where not. */
enum hearth_result hearth_safety_compare(struct hearth_account *account,
                                         const struct hearth_id *contact, const void *qr,
                                         size_t len);
bool hearth_contact_set_compared(struct hearth_account *account, const struct hearth_id *contact,
                                 bool compared);

/* ---- the verifiable log */

/* Each homeserver publishes a log of all keys that it hands out. What comes from a homeserver is
 * held against its log before it is used; an alarm is HEARTH_EVENT_LOG. */
enum hearth_log_state {
    HEARTH_LOG_UNKNOWN = 0,  /* not asked yet */
    HEARTH_LOG_UNLOGGED = 1, /* it has none, and never showed one: its word alone counts */
    HEARTH_LOG_HELD = 2,
};
struct hearth_log {
    const char *domain;
    enum hearth_log_state state;
    bool distrusted; /* what it signed can't all be true, or it denies what it had: nothing is sent
                        to its users until hearth_log_accept */
    bool overdue;    /* it stands still for longer than it may */
    /* HEARTH_LOG_HELD: the newest checkpoint that was verified */
    const char *origin;
    uint8_t key[32];  /* that signs it: evidence against this homeserver bears it */
    uint64_t entries; /* leaf 0, the configuration, among them */
    uint8_t root[32];
    uint64_t newest_ms, checked_ms, watched_ms, window_ms;
    uint64_t window, window_entry; /* the newest window, and the entry that it begins with */
    const char *checkpoint;        /* signed note (C2SP tlog-checkpoint) */
    /* hearth_log_set_policy was called: the newest window is witnessed when witnessed_entries is
     * window_entry + 1. Nothing but what is shown hangs on it. */
    bool judged;
    uint64_t witnessed_entries; /* of the newest checkpoint that meets the policy; 0: none */
    const char *witnesses;      /* names of the policy's witnesses who cosigned that */
};
bool hearth_log_each(struct hearth_account *account,
                     bool (*fn)(const struct hearth_log *log, void *arg), void *arg);
/* What is known of a label: a client set, the key of a handle, keys of a homeserver. */
struct hearth_log_label {
    const char *domain;
    const char *name; /* "your devices", a handle, or what it is otherwise */
    bool own, exists;
    bool pending; /* too new to be proved against withdrawal: in the next window */
    bool bad;     /* the log speaks against it */
    uint32_t version;
    uint8_t commitment[32];
    uint64_t entry;      /* of the log, where it was found */
    uint64_t watched;    /* own: monitored up to this entry */
    uint64_t checked_ms; /* 0: not yet */
};
bool hearth_log_label_each(struct hearth_account *account,
                           bool (*fn)(const struct hearth_log_label *label, void *arg), void *arg);
/* Looks at all that is watched each window now; hearth_account_settle waits for it. */
bool hearth_log_monitor(struct hearth_account *account);
/* Whose cosignatures make a log witnessed, for all homeservers from now on (C2SP tlog-policy:
 * witness, group and quorum lines, of at most 16 kB); "": nobody's. hearth_account_settle waits for
 * the first answers. False: it is not a policy, and nothing changes. */
bool hearth_log_set_policy(struct hearth_account *account, const char *text);
/* A person has seen the alarms of a homeserver and goes on: its log is met anew. False: no such
 * homeserver. */
bool hearth_log_accept(struct hearth_account *account, const char *domain);
/* Alarms since the account was opened. */
uint32_t hearth_log_alarms(struct hearth_account *account);
enum { HEARTH_LOG_CODE_BYTES = 35, HEARTH_LOG_QR_BYTES = 2048 };
/* 30 digits in five groups, the same for both sides of a pair when both are shown the same keys and
 * the same logs in the same window; and what a QR code of it holds. */
struct hearth_log_comparison {
    char digits[HEARTH_LOG_CODE_BYTES];
    uint64_t window;
    size_t qr_bytes;
    uint8_t qr[HEARTH_LOG_QR_BYTES];
};
/* False: no log to compare. */
bool hearth_log_code(struct hearth_account *account, const struct hearth_id *contact,
                     struct hearth_log_comparison *ret_code);
/* Does the other side's QR code say the same? HEARTH_UNVERIFIED where not, HEARTH_FAILED where one
 * of the two must look at a newer window first. */
enum hearth_result hearth_log_compare(struct hearth_account *account,
                                      const struct hearth_id *contact, const void *qr, size_t len);
/* Evidence files, numbered from 1. False: none of that number. The view lives until fn returns. */
bool hearth_log_evidence(struct hearth_account *account, uint64_t number,
                         void (*fn)(const void *file, size_t len, void *arg), void *arg);
/* What a file proves, whoever made it; needs no account. HEARTH_UNVERIFIED: nothing. */
struct hearth_log_verdict {
    char origin[256];
    char text[200];         /* a sentence: what was signed that can't be true */
    uint8_t key[32];        /* that signed it: is it the homeserver's that you know? */
    uint64_t first, second; /* entries or sizes that contradict each other */
};
enum hearth_result hearth_log_audit(const void *file, size_t len,
                                    struct hearth_log_verdict *ret_verdict);

/* ---- receipts

 * What homeservers answered and signed, kept as evidence: refusals, and changes of accounts,
 handles
 * and groups that they accepted. The newest 256 of each, refusals first. */
struct hearth_receipt {
    const char *domain;
    const char *method; /* "/hearth.v1.Auth/AddClient" */
    bool accepted;
    uint16_t status;          /* gRPC's; 0: accepted */
    uint64_t kept_ms;         /* when it came */
    uint64_t hour_ms;         /* when it was signed, as the homeserver says, to the hour */
    uint8_t request_hash[32]; /* SHA-256 of the request's bytes */
    /* The signed bytes and the credential that they verify under; lib/seal/receipt.h says how. */
    const void *receipt;
    size_t receipt_bytes;
    const void *signer;
    size_t signer_bytes;
};
/* Views live until fn returns; false ends. */
bool hearth_receipt_each(struct hearth_account *account,
                         bool (*fn)(const struct hearth_receipt *receipt, void *arg), void *arg);

/* ---- receiving */

/* Fetches and processes what waits: one batch after the other until nothing is left. */
struct hearth_op *hearth_sync(struct hearth_account *account);
/* Stays connected and receives as it comes, reconnecting, until hearth_listen_stop. */
bool hearth_listen_start(struct hearth_account *account);
void hearth_listen_stop(struct hearth_account *account);

enum hearth_event_kind {
    HEARTH_EVENT_MESSAGE = 1,          /* chat, number */
    HEARTH_EVENT_MESSAGE_STATE = 2,    /* chat, number: sent or failed */
    HEARTH_EVENT_CONTACT_ASKS = 3,     /* contact */
    HEARTH_EVENT_CONTACT_ACCEPTED = 4, /* contact, chat */
    HEARTH_EVENT_CONTACT_REFUSED = 5,  /* contact */
    HEARTH_EVENT_CONTACT_CHANGED = 6,  /* contact: profile or keys */
    HEARTH_EVENT_CHAT_JOINED = 7,      /* chat */
    HEARTH_EVENT_CHAT_CHANGED = 8,     /* chat: members, roles, name */
    HEARTH_EVENT_CHAT_OVER = 9,        /* chat */
    HEARTH_EVENT_CHAT_BROKEN = 10,     /* chat: could not follow, joins again */
    HEARTH_EVENT_LOSS = 11, /* chat or none: so many messages (number) were lost, text says where */
    HEARTH_EVENT_UNVERIFIED = 12, /* chat, contact: something did not verify, text says what */
    HEARTH_EVENT_DEVICE = 13,     /* the set of own devices changed */
    HEARTH_EVENT_OPERATION = 14,  /* an operation whose handle is gone has ended: text, result */
    HEARTH_EVENT_WITHHELD = 15,   /* chat: so many messages (number) did not come, or members were
                                     shown different ones, by what members say to each other; text */
    HEARTH_EVENT_LOG = 16, /* contact or none: the verifiable log does not hold, text says what;
                              message: number of the evidence file, 0: there can be none;
                              result HEARTH_DONE: nothing is wrong, but people should know */
};
/* Durable, numbered densely; the same event again has the same number. */
struct hearth_event {
    uint64_t number;
    enum hearth_event_kind kind;
    struct hearth_id chat, contact;
    uint64_t message; /* its number in the chat, or a count */
    enum hearth_result result;
    const char *text;
};
/* The oldest event that was not taken; false: none. The view lives until the next call. */
bool hearth_event_next(struct hearth_account *account, struct hearth_event *ret_event);
/* Forgets events up to this number, durably. */
bool hearth_event_taken(struct hearth_account *account, uint64_t number);
/* Tells that hearth_event_next has something: from the loop. */
void hearth_account_on_event(struct hearth_account *account,
                             void (*fn)(struct hearth_account *account, void *arg), void *arg);
/* Blocking: works until there is an event (true) or timeout_ms are over. */
bool hearth_account_wait(struct hearth_account *account, uint32_t timeout_ms);

/* ---- what it costs */

/* Since the account was opened, on this thread; for tools that measure. */
struct hearth_costs {
    uint64_t calls;         /* to homeservers: round trips of unary calls, and streams begun */
    uint64_t signatures;    /* made: MLS, requests, credentials */
    uint64_t verifications; /* of signatures */
    uint64_t exchanges;     /* KEM operations */
    uint64_t bytes_out, bytes_in; /* of request and response messages */
    uint64_t commits;             /* durable steps of the file */
    uint64_t group;               /* operations of tokens in their group */
};
void hearth_account_costs(struct hearth_account *account, struct hearth_costs *ret_costs);

/* Blocking: works until nothing is under way that could be done now, or timeout_ms are over
 * (false). For programs that do one thing and end, so that what follows from it (an answer to an
 * answer) is not left for the next time. */
bool hearth_account_settle(struct hearth_account *account, uint32_t timeout_ms);

/* ---- raw calls, for tools */

/* Calls any method ("hearth.v1.Auth/ListClients") with a JSON body, as the caller that it asks for.
 * done hears the answer as JSON. Where the homeserver wants tokens for it, they are taken from the
 * stock, once. */
struct hearth_op *hearth_rpc(struct hearth_account *account, const char *method, const char *json,
                             const struct hearth_id *chat,
                             void (*answer)(const char *json, void *arg), void *arg);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
