/* The house (support/house/house.h) for tests of the client's core, which can't include its header:
 * lib/seal and lib/mls each have a struct credential.
 */
#ifndef TESTS_SUPPORT_TOWN_H
#define TESTS_SUPPORT_TOWN_H

#include "base/clock.h"
#include "base/rng.h"

#define TOWN_DOMAIN "a.test"
#define TOWN_OTHER  "b.test"
enum { TOWN_INVITATION_BYTES = 400 };

struct bytes;
struct town;
struct hearth_loop;

struct town *town_new(uint64_t seed);
/* The homeserver of TOWN_OTHER, too; both deliver to each other. All else here is about TOWN_DOMAIN
 * where it names no domain. */
struct town *town_new_two(uint64_t seed);
/* Nothing goes from homeserver to homeserver; or again. Clients reach both all the time
 * (connections that there are break). */
void town_part(struct town *town, bool apart);
/* Where a client with this number finds the homeservers (api_options.homeservers). */
void town_target(const struct town *town, size_t client, char *ret_text, size_t size);
void town_free(struct town *town);
struct hearth_loop *town_loop(struct town *town);
const struct clock *town_clock(struct town *town);
const struct rng *town_rng(struct town *town);
/* All that happens in so much time; one step: false when there is nothing to do now. */
void town_run_ms(struct town *town, uint64_t ms);
void town_settle(struct town *town);
bool town_step(struct town *town);
/* Time moves to when something is due, at most by so much. False: by all of it. */
bool town_wait(struct town *town, uint64_t most_ms);
/* A fresh invitation as text, pin included. */
void town_invite(struct town *town, const char *domain, char ret_text[TOWN_INVITATION_BYTES]);
/* The server is killed, and starts again. */
void town_kill_server(struct town *town, const char *domain);
/* It has no log from now on (it starts again), or one again. */
void town_hide_log(struct town *town, const char *domain, bool hidden);
/* It is down from now on, and again here. */
void town_stop_server(struct town *town, const char *domain);
void town_start_server(struct town *town, const char *domain);
/* ... in the middle of things, after so many steps of its; below 0: never. */
void town_kill_in_steps(struct town *town, long steps);
/* ... and another life in which it leaves something undone (enum delivery_control). */
void town_control_delivery(struct town *town, uint32_t control);
/* How many there are. */
uint64_t town_users(struct town *town);
uint64_t town_handles(struct town *town);
/* The operator deletes this user. */
void town_remove_user(struct town *town, const char *domain, const uint8_t uuid[16]);
/* Registration without invitation, by a puzzle of so many bits. */
void town_open_registration(struct town *town, uint32_t puzzle_bits);
/* Begins another life, in which calls cost tokens and all limits are on; nobody may be there yet.
 */
void town_tokens(struct town *town);
/* Keys of vouchers are made there, as a job does. False: there were all. */
bool town_vouchers(struct town *town, const char *domain);
/* ... and from now on it shows others than its log has; or no more. */
void town_own_vouchers(struct town *town, const char *domain, bool own);
/* What TOWN_DOMAIN says of the other one's key for vouchers of this week: an enum err_code. */
int town_voucher_key(struct town *town, uint8_t class);
/* Each call as it arrives, from now on: on which connection, signed or not, with how many tokens.
 * Begins another life. */
struct town_call {
    uint64_t connection;
    const char *path;
    bool named;
    size_t tokens;
    const uint8_t *values[32]; /* of hearth-token-bin, borrowed */
};
void town_watch(struct town *town, void (*saw)(void *self, const struct town_call *call),
                void *self);
/* Each request message as it arrives at either homeserver, from now on; from: the address that it
 * came from. Begins another life. */
void town_overhear(struct town *town,
                   void (*heard)(void *self, const char *path, const char *from,
                                 struct bytes message),
                   void *self);
/* Another key signs credentials from now on. */
void town_rotate_signing(struct town *town, const char *domain);
/* Time passes at a stroke: what was due meanwhile is due now. */
void town_sleep_days(struct town *town, uint32_t days);
/* What logs keep no longer is removed. */
void town_sweep_logs(struct town *town);
uint64_t town_now_us(struct town *town);

#endif
