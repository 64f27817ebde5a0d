/* People with accounts, for tests: the client's core against the whole server, in one process over
 * pipes on the stepped loop and fake clock of the house, each with a file of its own in memory.
 *
 *     people_init(&all, seed);
 *     struct person *alice = person_new(&all, "alice");
 *     person_register(alice, "alice");
 *     person_op(alice, hearth_send(&alice->account, &chat, "hello"));
 *     person_sync(alice);
 *     people_close(&all);
 *
 * Nothing happens but inside these. The doors of client.h work on &person->account, but those that
 * wait.
 */
#ifndef TESTS_SUPPORT_PEOPLE_H
#define TESTS_SUPPORT_PEOPLE_H

#include "client/core/core.h"
#include "client/core/door.h"
#include "support/test.h"
#include "support/town/town.h"
#include "support/vfs_fault.h"

enum { PEOPLE_MOST = 8, PERSON_EVENTS = 256 };

struct people;
struct person {
    struct people *people;
    char name[32];
    char files[32];     /* name of the file layer */
    char target[128];   /* where the homeservers are */
    const char *domain; /* where he registers */
    struct vfs_fault *vfs;
    struct core *core; /* NULL: not running */
    struct hearth_account account;
    struct hearth_error error; /* of the last operation */
    uint64_t steps;            /* committed in this life */
    uint64_t kill_at;          /* with this one the process is gone; 0: never */
    bool killed;
    unsigned lives;
};

struct people {
    struct town *town;
    bool two; /* homeservers: what one takes for the other goes on a little later */
    struct person all[PEOPLE_MOST];
    size_t count;
};

void people_init(struct people *p, uint64_t seed);
/* With the homeserver of TOWN_OTHER beside that of TOWN_DOMAIN. */
void people_init_two(struct people *p, uint64_t seed);
void people_close(struct people *p);
void people_run_ms(struct people *p, uint64_t ms);

/* How often Argon2id was asked for in this process, computed or not (kept_argon2.c): a tenth of a
 * second each time in what ships. */
unsigned long people_argon2(void);

/* With an empty account, running. */
struct person *person_new(struct people *p, const char *name);
struct person *person_new_at(struct people *p, const char *name, const char *domain);
/* The newest person goes for good: his place is free. */
void people_leave(struct person *p);
/* Ends properly, or as kill -9 would; and the same file again. */
void person_stop(struct person *p);
void person_kill(struct person *p);
void person_start(struct person *p);
/* The process ends with the n-th committed step from now on: nothing is written and nothing leaves
 * any more. person_op and the others begin another life then, and go on. 0: never. */
void person_kill_at(struct person *p, uint64_t n);

/* Until the operation has ended; 300 seconds at most, else the test fails. Its result; the whole of
 * it in p->error. NULL: the account's error. */
enum hearth_result person_op(struct person *p, struct hearth_op *op);
/* The same for a task. */
enum hearth_result person_task(struct person *p, uint64_t task);
/* A step that must succeed. */
void person_step(struct person *p, struct err (*run)(struct core *c, struct db_txn *t, void *arg),
                 void *arg);

/* With an invitation. handle NULL: none. Fails the test when it fails. */
void person_register(struct person *p, const char *handle);
void person_sync(struct person *p);
void person_listen(struct person *p, uint64_t ms);
/* Until no task is left but those that wait for a time; 300 s at most. */
void person_settle(struct person *p);

/* Another life, if a kill ended this one: before doors are used where one was set. */
void person_alive(struct person *p);

/* The oldest event, taken. The text lives until the next call. False: none. */
bool person_event(struct person *p, struct hearth_event *ret_event);
/* Takes events until one of this kind comes; the test fails when none does. */
struct hearth_event person_expect(struct person *p, enum hearth_event_kind kind);
/* Takes all, and counts those of this kind. */
unsigned person_count_events(struct person *p, enum hearth_event_kind kind);

#endif
