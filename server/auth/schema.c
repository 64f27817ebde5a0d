#include "server/auth/schema.h"

#include "server/front/charge.h"
#include "server/front/once.h"

/* Keys are PRF values under AUTH_IDS, so that rows lie in no order of time; `sealed` is under
 * AUTH_ROWS. What a user is tied to by its own row (name, key set, profile) is inside the seal.
 * Handles, packages and offers know no user, nor do invitations, puzzles and reports (P4).
 *
 * label: last version of every key set label there ever was, as the log commits to it; and of each
 * log that all were given to, its origin (enter_log.c). waiting: key
 * sets that the log has not said to have, under the same id. user.unused_
 * hour: when it was made while no client of it has called, then 0. client.seen_month: 0 until the
 * first call. profile.shown: 0 staged, 1 fetched by index. handle.next_offer: the last number
 * given. Profiles and offers are large, so they are not WITHOUT ROWID: SQLite compares keys of such
 * a table against whole rows.
 * signing: what GetKeys serves, in the order of their making.
 * voucher_key: ours, of a class and week. voucher_spent: vouchers of other homeservers, by a PRF of
 * issuer and nonce, with a hash of the request that spent it.
 * token_since: the day of a user's first tokens. token_grant: how many of a class and period a user
 * was given: numbers alone, never what was blinded. token_request: those that were charged, known
 * by nothing but a hash.
 */
static const struct store_migration migrations[] = {
    {1,
     "CREATE TABLE label (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE waiting (id BLOB NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL,"
     " PRIMARY KEY (id, version)) WITHOUT ROWID;"
     "CREATE TABLE user (id BLOB NOT NULL PRIMARY KEY, sealed BLOB NOT NULL,"
     " unused_hour INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX user_unused ON user (unused_hour);"
     "CREATE TABLE client (id BLOB NOT NULL PRIMARY KEY, user BLOB NOT NULL, sealed BLOB NOT NULL,"
     " seen_month INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX client_user ON client (user);"
     "CREATE TABLE profile (id BLOB NOT NULL PRIMARY KEY, sealed BLOB NOT NULL,"
     " shown INTEGER NOT NULL);"
     "CREATE TABLE invitation (id BLOB NOT NULL PRIMARY KEY, expires_hour INTEGER NOT NULL)"
     " WITHOUT ROWID;"
     "CREATE INDEX invitation_expiry ON invitation (expires_hour);"
     "CREATE TABLE puzzle (id BLOB NOT NULL PRIMARY KEY, expires_hour INTEGER NOT NULL)"
     " WITHOUT ROWID;"
     "CREATE INDEX puzzle_expiry ON puzzle (expires_hour);"
     "CREATE TABLE handle (id BLOB NOT NULL PRIMARY KEY, sealed BLOB NOT NULL,"
     " next_offer INTEGER NOT NULL, expires_day INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX handle_expiry ON handle (expires_day);"
     "CREATE TABLE package (handle BLOB NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL,"
     " last_resort INTEGER NOT NULL, expires_hour INTEGER NOT NULL,"
     " PRIMARY KEY (handle, number)) WITHOUT ROWID;"
     "CREATE INDEX package_expiry ON package (expires_hour);"
     "CREATE TABLE offer (handle BLOB NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL,"
     " expires_day INTEGER NOT NULL, PRIMARY KEY (handle, number));"
     "CREATE INDEX offer_expiry ON offer (expires_day);"
     "CREATE TABLE report (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL, day INTEGER NOT NULL);"
     "CREATE TABLE revoked (fingerprint BLOB NOT NULL PRIMARY KEY, expires_day INTEGER NOT NULL)"
     " WITHOUT ROWID;"
     "CREATE INDEX revoked_expiry ON revoked (expires_day);"
     "CREATE TABLE revoked_list (one INTEGER PRIMARY KEY, number INTEGER NOT NULL);"
     "INSERT INTO revoked_list (one, number) VALUES (1, 1);" ONCE_SQL},
    {2, "CREATE TABLE signing (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
        " sealed BLOB NOT NULL, expires_day INTEGER NOT NULL);"
        "CREATE TABLE suspended (user BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID;"},
    {3, "CREATE TABLE token_since (user BLOB NOT NULL PRIMARY KEY, day INTEGER NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE token_grant (user BLOB NOT NULL, class INTEGER NOT NULL,"
        " period INTEGER NOT NULL, issued INTEGER NOT NULL, PRIMARY KEY (user, class, period))"
        " WITHOUT ROWID;"
        "CREATE INDEX token_grant_period ON token_grant (period);"
        "CREATE TABLE token_request (id BLOB NOT NULL PRIMARY KEY, period INTEGER NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE INDEX token_request_period ON token_request (period);"},
    {4, ONCE_SQL_2},
    {5, SPENT_SQL},
    {6, CREDITS_SQL},
    {7, "CREATE TABLE voucher_key (class INTEGER NOT NULL, week INTEGER NOT NULL,"
        " sealed BLOB NOT NULL, PRIMARY KEY (class, week));"
        "CREATE TABLE voucher_spent (id BLOB NOT NULL PRIMARY KEY, request BLOB NOT NULL,"
        " week INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX voucher_spent_week ON voucher_spent (week);"},
    {8, "DELETE FROM voucher_key;"}, /* of before the keeper wrapped them */
};

static const struct stmt_row statements[] = {
    [LABEL_FIND] = {"label_find", "SELECT version FROM label WHERE id = $1"},
    [LABEL_PUT] = {"label_put", "INSERT INTO label (id, version) VALUES ($1, $2)"
                                " ON CONFLICT (id) DO UPDATE SET version = excluded.version"},

    [WAITING_PUT] = {"waiting_put", "INSERT INTO waiting (id, version, sealed)"
                                    " VALUES ($1, $2, $3) ON CONFLICT (id, version) DO NOTHING"},
    [WAITING_DROP] = {"waiting_drop", "DELETE FROM waiting WHERE id = $1 AND version = $2"},
    [WAITING_LIST] = {"waiting_list", "SELECT sealed, id FROM waiting ORDER BY id, version"
                                      " LIMIT 128"},
    [USERS_FROM] = {"users_from", "SELECT id FROM user WHERE id > $1 ORDER BY id LIMIT $2"},
    [HANDLES_FROM] = {"handles_from", "SELECT id FROM handle WHERE id > $1 ORDER BY id LIMIT $2"},

    [USER_FIND] = {"user_find", "SELECT sealed FROM user WHERE id = $1"},
    [USER_INSERT] = {"user_insert", "INSERT INTO user (id, sealed, unused_hour)"
                                    " VALUES ($1, $2, $3)"},
    [USER_UPDATE] = {"user_update", "UPDATE user SET sealed = $1 WHERE id = $2"},
    [USER_USED] = {"user_used", "UPDATE user SET unused_hour = 0"
                                " WHERE id = $1 AND unused_hour <> 0"},
    [USER_DELETE] = {"user_delete", "DELETE FROM user WHERE id = $1"},
    [USER_UNUSED] = {"user_unused", "SELECT id FROM user WHERE unused_hour > 0"
                                    " AND unused_hour < $1 ORDER BY unused_hour LIMIT 1"},

    [USER_SHOW] = {"user_show",
                   "SELECT unused_hour, (SELECT COUNT(*) FROM suspended WHERE user = $1),"
                   " (SELECT COUNT(*) FROM client WHERE user = $1),"
                   " (SELECT COALESCE(MAX(seen_month), 0) FROM client WHERE user = $1)"
                   " FROM user WHERE id = $1"},
    [SUSPENDED_PUT] = {"suspended_put",
                       "INSERT INTO suspended (user) VALUES ($1) ON CONFLICT (user) DO NOTHING"},
    [SUSPENDED_DROP] = {"suspended_drop", "DELETE FROM suspended WHERE user = $1"},

    [CLIENT_FIND] = {"client_find",
                     "SELECT sealed, user, seen_month, (SELECT COUNT(*) FROM suspended"
                     " WHERE suspended.user = client.user) FROM client WHERE id = $1"},
    [CLIENT_LIST] = {"client_list", "SELECT sealed, id, seen_month, 0 FROM client WHERE user = $1"
                                    " ORDER BY id"},
    [CLIENT_INSERT] = {"client_insert",
                       "INSERT INTO client (id, user, sealed, seen_month) VALUES ($1, $2, $3, 0)"
                       " ON CONFLICT (id) DO NOTHING"},
    [CLIENT_UPDATE] = {"client_update", "UPDATE client SET sealed = $1 WHERE id = $2"},
    [CLIENT_SEEN] = {"client_seen", "UPDATE client SET seen_month = $1"
                                    " WHERE id = $2 AND seen_month <> $1"},
    [CLIENT_DELETE] = {"client_delete", "DELETE FROM client WHERE id = $1"},

    [PROFILE_FIND] = {"profile_find", "SELECT sealed FROM profile WHERE id = $1 AND shown = 1"},
    [PROFILE_INSERT] = {"profile_insert", "INSERT INTO profile (id, sealed, shown)"
                                          " VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING"},
    [PROFILE_SHOW] = {"profile_show", "UPDATE profile SET shown = 1 WHERE id = $1"},
    [PROFILE_DELETE] = {"profile_delete", "DELETE FROM profile WHERE id = $1"},

    [INVITATION_FIND] = {"invitation_find",
                         "SELECT 1 FROM invitation WHERE id = $1 AND expires_hour > $2"},
    [INVITATION_INSERT] = {"invitation_insert",
                           "INSERT INTO invitation (id, expires_hour) VALUES ($1, $2)"},
    [INVITATION_SPEND] = {"invitation_spend",
                          "DELETE FROM invitation WHERE id = $1 AND expires_hour > $2"},
    [INVITATION_EXPIRE] = {"invitation_expire",
                           "DELETE FROM invitation WHERE id IN"
                           " (SELECT id FROM invitation WHERE expires_hour <= $1 LIMIT $2)"},
    [PUZZLE_SPEND] = {"puzzle_spend", "INSERT INTO puzzle (id, expires_hour) VALUES ($1, $2)"
                                      " ON CONFLICT (id) DO NOTHING"},
    [PUZZLE_EXPIRE] = {"puzzle_expire",
                       "DELETE FROM puzzle WHERE id IN"
                       " (SELECT id FROM puzzle WHERE expires_hour <= $1 LIMIT $2)"},

    [HANDLE_FIND] = {"handle_find", "SELECT sealed, next_offer, expires_day FROM handle"
                                    " WHERE id = $1 AND expires_day >= $2"},
    [HANDLE_TAKEN] = {"handle_taken", "SELECT 1 FROM handle WHERE id = $1 AND expires_day >= $2"},
    [HANDLE_INSERT] = {"handle_insert", "INSERT INTO handle (id, sealed, next_offer, expires_day)"
                                        " VALUES ($1, $2, 0, $3)"},
    [HANDLE_KEY] = {"handle_key", "UPDATE handle SET sealed = $1 WHERE id = $2"},
    [HANDLE_REFRESH] = {"handle_refresh", "UPDATE handle SET expires_day = $1"
                                          " WHERE id = $2 AND expires_day >= $3"},
    [HANDLE_NEXT_OFFER] = {"handle_next_offer",
                           "UPDATE handle SET next_offer = next_offer + 1"
                           " WHERE id = $1 AND expires_day >= $2 RETURNING next_offer"},
    [HANDLE_DELETE] = {"handle_delete", "DELETE FROM handle WHERE id = $1"},
    [HANDLE_OVER] = {"handle_over", "SELECT id FROM handle WHERE expires_day < $1"
                                    " ORDER BY expires_day LIMIT 1"},

    [PACKAGE_TAKE] = {"package_take",
                      "SELECT sealed, number FROM package WHERE handle = $1 AND last_resort = 0"
                      " AND expires_hour > $2 ORDER BY number LIMIT 1"},
    [PACKAGE_LAST] = {"package_last",
                      "SELECT sealed, number FROM package WHERE handle = $1 AND last_resort = 1"
                      " AND expires_hour > $2 ORDER BY number LIMIT 1"},
    [PACKAGE_DELETE] = {"package_delete", "DELETE FROM package WHERE handle = $1 AND number = $2"},
    [PACKAGE_INSERT] = {"package_insert",
                        "INSERT INTO package (handle, number, sealed, last_resort, expires_hour)"
                        " VALUES ($1, $2, $3, $4, $5)"},
    [PACKAGE_CLEAR] = {"package_clear", "DELETE FROM package WHERE handle = $1"},
    [PACKAGE_EXPIRE] = {"package_expire",
                        "DELETE FROM package WHERE (handle, number) IN"
                        " (SELECT handle, number FROM package WHERE expires_hour <= $1 LIMIT $2)"},

    [OFFER_COUNT] = {"offer_count", "SELECT COUNT(*) FROM offer WHERE handle = $1"},
    [OFFER_INSERT] = {"offer_insert", "INSERT INTO offer (handle, number, sealed, expires_day)"
                                      " VALUES ($1, $2, $3, $4)"},
    [OFFER_NEXT] = {"offer_next", "SELECT sealed, number FROM offer WHERE handle = $1"
                                  " AND number > $2 ORDER BY number LIMIT 1"},
    [OFFER_ACK] = {"offer_ack", "DELETE FROM offer WHERE handle = $1 AND number <= $2"},
    [OFFER_CLEAR] = {"offer_clear", "DELETE FROM offer WHERE handle = $1"},
    [OFFER_EXPIRE] = {"offer_expire",
                      "DELETE FROM offer WHERE (handle, number) IN"
                      " (SELECT handle, number FROM offer WHERE expires_day < $1 LIMIT $2)"},

    [REPORT_COUNT] = {"report_count", "SELECT COUNT(*), COALESCE(MAX(number), 0) FROM report"},
    [REPORT_INSERT] = {"report_insert", "INSERT INTO report (number, sealed, day) VALUES"
                                        " ($1, $2, $3)"},
    [REPORT_NEXT] = {"report_next", "SELECT sealed, number, day FROM report WHERE number > $1"
                                    " ORDER BY number LIMIT 1"},
    [REPORT_LIST] = {"report_list", "SELECT number, day, LENGTH(sealed) FROM report"
                                    " WHERE number > $1 ORDER BY number LIMIT $2"},
    [REPORT_DROP] = {"report_drop", "DELETE FROM report WHERE number = $1"},
    [REPORT_EXPIRE] = {"report_expire", "DELETE FROM report WHERE number IN"
                                        " (SELECT number FROM report WHERE day < $1 LIMIT $2)"},

    [REVOKED_INSERT] = {"revoked_insert", "INSERT INTO revoked (fingerprint, expires_day)"
                                          " VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING"},
    [REVOKED_LIST] = {"revoked_list", "SELECT fingerprint FROM revoked ORDER BY fingerprint"},
    [REVOKED_EXPIRE] = {"revoked_expire",
                        "DELETE FROM revoked WHERE fingerprint IN"
                        " (SELECT fingerprint FROM revoked WHERE expires_day < $1 LIMIT $2)"},
    [REVOKED_NUMBER] = {"revoked_number", "SELECT number FROM revoked_list WHERE one = 1"},
    [REVOKED_COUNT_UP] = {"revoked_count_up", "UPDATE revoked_list SET number = number + 1"
                                              " WHERE one = 1"},
    [SIGNING_FIND] = {"signing_find", "SELECT number FROM signing WHERE id = $1"},
    [SIGNING_PUT] = {"signing_put", "INSERT INTO signing (id, sealed, expires_day)"
                                    " VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING"},
    [SIGNING_LIST] = {"signing_list", "SELECT sealed, id FROM signing WHERE expires_day >= $1"
                                      " ORDER BY number DESC LIMIT $2"},
    [SIGNING_EXPIRE] = {"signing_expire",
                        "DELETE FROM signing WHERE number IN"
                        " (SELECT number FROM signing WHERE expires_day < $1 LIMIT $2)"},
    [TOKEN_SINCE_PUT] = {"token_since_put", "INSERT INTO token_since (user, day) VALUES ($1, $2)"
                                            " ON CONFLICT (user) DO NOTHING"},
    [TOKEN_SINCE_FIND] = {"token_since_find", "SELECT day FROM token_since WHERE user = $1"},
    [TOKEN_SINCE_DROP] = {"token_since_drop", "DELETE FROM token_since WHERE user = $1"},
    [TOKEN_GRANT_FIND] = {"token_grant_find", "SELECT issued FROM token_grant WHERE user = $1"
                                              " AND class = $2 AND period = $3"},
    [TOKEN_GRANT_PUT] = {"token_grant_put",
                         "INSERT INTO token_grant (user, class, period, issued)"
                         " VALUES ($1, $2, $3, $4) ON CONFLICT (user, class, period)"
                         " DO UPDATE SET issued = excluded.issued"},
    [TOKEN_GRANT_CLEAR] = {"token_grant_clear", "DELETE FROM token_grant WHERE user = $1"},
    [TOKEN_GRANT_EXPIRE] = {"token_grant_expire",
                            "DELETE FROM token_grant WHERE (user, class, period) IN (SELECT user,"
                            " class, period FROM token_grant WHERE period < $1 LIMIT $2)"},
    [TOKEN_REQUEST_PUT] = {"token_request_put", "INSERT INTO token_request (id, period)"
                                                " VALUES ($1, $2) ON CONFLICT (id) DO NOTHING"},
    [TOKEN_REQUEST_EXPIRE] = {"token_request_expire",
                              "DELETE FROM token_request WHERE id IN"
                              " (SELECT id FROM token_request WHERE period < $1 LIMIT $2)"},
    [VOUCHER_KEY_PUT] = {"voucher_key_put",
                         "INSERT INTO voucher_key (class, week, sealed) VALUES ($1, $2, $3)"
                         " ON CONFLICT (class, week) DO NOTHING"},
    [VOUCHER_KEY_LIST] = {"voucher_key_list",
                          "SELECT sealed, class, week FROM voucher_key WHERE week >= $1"
                          " ORDER BY class, week"},
    [VOUCHER_KEY_EXPIRE] = {"voucher_key_expire",
                            "DELETE FROM voucher_key WHERE (class, week) IN (SELECT class, week"
                            " FROM voucher_key WHERE week < $1 LIMIT $2)"},
    [VOUCHER_SPENT_FIND] = {"voucher_spent_find",
                            "SELECT request FROM voucher_spent WHERE id = $1"},
    [VOUCHER_SPENT_PUT] = {"voucher_spent_put",
                           "INSERT INTO voucher_spent (id, request, week) VALUES ($1, $2, $3)"
                           " ON CONFLICT (id) DO NOTHING"},
    [VOUCHER_SPENT_EXPIRE] = {"voucher_spent_expire",
                              "DELETE FROM voucher_spent WHERE id IN"
                              " (SELECT id FROM voucher_spent WHERE week < $1 LIMIT $2)"},
    [COUNTS] = {"counts", "SELECT (SELECT COUNT(*) FROM user), (SELECT COUNT(*) FROM client),"
                          " (SELECT COUNT(*) FROM handle), (SELECT COUNT(*) FROM invitation),"
                          " (SELECT COUNT(*) FROM offer), (SELECT COUNT(*) FROM report),"
                          " (SELECT COUNT(*) FROM revoked)"},
    PURSE_STATEMENTS,
    ONCE_STATEMENTS,
};

const struct store_schema auth_schema = {migrations, sizeof migrations / sizeof *migrations,
                                         statements, sizeof statements / sizeof *statements};
_Static_assert(sizeof statements / sizeof *statements == AUTH_ONCE + ONCE_STATEMENT_COUNT,
               "ONCE_STATEMENTS come last");
