#include "server/queue/schema.h"

static const struct store_migration migrations[] = {
    {1, "CREATE TABLE queue_user (user INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
        "record BLOB NOT NULL);"
        "CREATE TABLE queue_revoked (user INTEGER PRIMARY KEY, list BLOB NOT NULL);"
        "CREATE TABLE queue_client (client INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
        "record BLOB NOT NULL);"
        "CREATE TABLE queue_state (client INTEGER PRIMARY KEY, active_day INTEGER NOT NULL, "
        "state BLOB NOT NULL);"
        "CREATE TABLE queue_item (item INTEGER PRIMARY KEY, day INTEGER NOT NULL, "
        "sealed BLOB NOT NULL);"
        "CREATE TABLE queue_tag (client INTEGER NOT NULL, tag BLOB NOT NULL, day INTEGER NOT NULL, "
        "cursor BLOB NOT NULL, PRIMARY KEY (client, tag)) WITHOUT ROWID;"
        "CREATE TABLE key_package (package INTEGER PRIMARY KEY, expires_day INTEGER NOT NULL, "
        "bundle BLOB NOT NULL);"
        "CREATE TABLE key_package_day (id BLOB NOT NULL PRIMARY KEY, day INTEGER NOT NULL) "
        "WITHOUT ROWID;"
        "CREATE TABLE queue_dead (client INTEGER PRIMARY KEY);" ONCE_SQL},
    {2, ONCE_SQL_2},
    {3, PURSE_SQL},
};

static const struct stmt_row statements[SQL_COUNT] = {
    [SQL_USER_ADD] = {"user_add", "INSERT INTO queue_user (user, id, record) VALUES ($1, $2, $3) "
                                  "ON CONFLICT DO NOTHING"},
    [SQL_USER_BY_ID] = {"user_by_id", "SELECT user, record FROM queue_user WHERE id = $1"},
    [SQL_USER_BY_ROW] = {"user_by_row", "SELECT user, record FROM queue_user WHERE user = $1"},
    [SQL_USER_SET] = {"user_set", "UPDATE queue_user SET record = $1 WHERE user = $2"},
    [SQL_USER_DELETE] = {"user_delete", "DELETE FROM queue_user WHERE user = $1"},
    [SQL_REVOKED_GET] = {"revoked_get", "SELECT list FROM queue_revoked WHERE user = $1"},
    [SQL_REVOKED_SET] = {"revoked_set", "INSERT INTO queue_revoked (user, list) VALUES ($1, $2) "
                                        "ON CONFLICT (user) DO UPDATE SET list = excluded.list"},
    [SQL_REVOKED_DELETE] = {"revoked_delete", "DELETE FROM queue_revoked WHERE user = $1"},
    [SQL_CLIENT_ADD] = {"client_add", "INSERT INTO queue_client (client, id, record) "
                                      "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"},
    [SQL_CLIENT_BY_ID] = {"client_by_id", "SELECT client, record FROM queue_client WHERE id = $1"},
    [SQL_CLIENT_BY_ROW] = {"client_by_row",
                           "SELECT client, record FROM queue_client WHERE client = $1"},
    [SQL_CLIENT_SET] = {"client_set", "UPDATE queue_client SET record = $1 WHERE client = $2"},
    [SQL_CLIENT_DELETE] = {"client_delete", "DELETE FROM queue_client WHERE client = $1"},
    [SQL_CLIENT_NEXT] = {"client_next", "SELECT client FROM queue_client WHERE client > $1 "
                                        "ORDER BY client LIMIT 1"},
    [SQL_STATE_ADD] = {"state_add",
                       "INSERT INTO queue_state (client, active_day, state) VALUES ($1, $2, $3)"},
    [SQL_STATE_GET] = {"state_get", "SELECT active_day, state FROM queue_state WHERE client = $1"},
    [SQL_STATE_SET] = {"state_set",
                       "UPDATE queue_state SET active_day = $1, state = $2 WHERE client = $3"},
    [SQL_STATE_DELETE] = {"state_delete", "DELETE FROM queue_state WHERE client = $1"},
    [SQL_STATE_NEXT] = {"state_next", "SELECT client, active_day FROM queue_state "
                                      "WHERE client > $1 ORDER BY client LIMIT 1"},
    [SQL_ITEM_ADD] = {"item_add", "INSERT INTO queue_item (item, day, sealed) VALUES ($1, $2, $3)"},
    [SQL_ITEM_RANGE] = {"item_range", "SELECT item, sealed FROM queue_item WHERE item >= $1 "
                                      "AND item <= $2 ORDER BY item LIMIT $3"},
    [SQL_ITEM_DELETE] = {"item_delete", "DELETE FROM queue_item WHERE item >= $1 AND item <= $2 "
                                        "RETURNING length(sealed)"},
    /* neither empty already, nor a refresh, which all that follows needs */
    [SQL_ITEM_OLD] = {"item_old", "SELECT item, length(sealed) FROM queue_item WHERE item >= $1 "
                                  "AND item <= $2 AND day < $3 AND length(sealed) > 0 "
                                  "AND substr(sealed, 1, 1) <> $4 ORDER BY item LIMIT $5"},
    [SQL_ITEM_EMPTY] = {"item_empty", "UPDATE queue_item SET sealed = $1 WHERE item = $2"},
    [SQL_ITEM_SWEEP] = {"item_sweep",
                        "DELETE FROM queue_item WHERE item IN (SELECT item FROM queue_item "
                        "WHERE item >= $1 AND item <= $2 ORDER BY item LIMIT $3)"},
    [SQL_TAG_GET] = {"tag_get", "SELECT cursor FROM queue_tag WHERE client = $1 AND tag = $2"},
    [SQL_TAG_SET] = {"tag_set",
                     "INSERT INTO queue_tag (client, tag, day, cursor) VALUES ($1, $2, $3, $4) "
                     "ON CONFLICT (client, tag) DO UPDATE SET day = excluded.day, "
                     "cursor = excluded.cursor"},
    [SQL_TAG_OLD] = {"tag_old", "SELECT tag, cursor FROM queue_tag WHERE client = $1 "
                                "AND day < $2 ORDER BY tag LIMIT $3"},
    [SQL_TAG_DELETE] = {"tag_delete", "DELETE FROM queue_tag WHERE client = $1 AND tag = $2"},
    [SQL_TAG_SWEEP] = {"tag_sweep",
                       "DELETE FROM queue_tag WHERE client = $1 AND tag IN (SELECT tag "
                       "FROM queue_tag WHERE client = $2 ORDER BY tag LIMIT $3)"},
    [SQL_PACKAGE_ADD] = {"package_add", "INSERT INTO key_package (package, expires_day, bundle) "
                                        "VALUES ($1, $2, $3)"},
    [SQL_PACKAGE_GET] = {"package_get",
                         "SELECT package, expires_day, bundle FROM key_package WHERE package = $1"},
    [SQL_PACKAGE_SET] = {"package_set", "UPDATE key_package SET bundle = $1 WHERE package = $2"},
    [SQL_PACKAGE_FIRST] = {"package_first",
                           "SELECT package, expires_day, bundle FROM key_package "
                           "WHERE package >= $1 AND package <= $2 AND expires_day >= $3 "
                           "ORDER BY package LIMIT 1"},
    [SQL_PACKAGE_COUNT] = {"package_count", "SELECT COUNT(*) FROM key_package WHERE package >= $1 "
                                            "AND package <= $2 AND expires_day >= $3"},
    [SQL_PACKAGE_DELETE] = {"package_delete", "DELETE FROM key_package WHERE package = $1"},
    [SQL_PACKAGE_OLD] = {"package_old", "DELETE FROM key_package WHERE package >= $1 "
                                        "AND package <= $2 AND expires_day < $3"},
    [SQL_PACKAGE_SWEEP] = {"package_sweep",
                           "DELETE FROM key_package WHERE package >= $1 AND package <= $2"},
    [SQL_TAKEN_ADD] = {"taken_add", "INSERT INTO key_package_day (id, day) VALUES ($1, $2) "
                                    "ON CONFLICT DO NOTHING"},
    [SQL_TAKEN_OLD] = {"taken_old", "DELETE FROM key_package_day WHERE id IN (SELECT id "
                                    "FROM key_package_day WHERE day < $1 LIMIT $2)"},
    [SQL_DEAD_ADD] = {"dead_add",
                      "INSERT INTO queue_dead (client) VALUES ($1) ON CONFLICT DO NOTHING"},
    [SQL_DEAD_HAS] = {"dead_has", "SELECT client FROM queue_dead WHERE client = $1"},
    [SQL_DEAD_NEXT] = {"dead_next", "SELECT client FROM queue_dead ORDER BY client LIMIT 1"},
    [SQL_DEAD_DELETE] = {"dead_delete", "DELETE FROM queue_dead WHERE client = $1"},
    [SQL_ONCE] = ONCE_STATEMENTS,
    PURSE_STATEMENTS,
};

const struct store_schema queue_schema = {migrations, sizeof migrations / sizeof *migrations,
                                          statements, SQL_COUNT};
