#include "tlog/policy.h"

/* ---- words */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next word off a line; empty: there is none. */
static struct bytes take_word(struct bytes *line)
{
    size_t from = 0;
    while (from < line->len && is_blank(line->data[from]))
        from++;
    size_t to = from;
    while (to < line->len && !is_blank(line->data[to]))
        to++;
    struct bytes word = bytes_of(line->data + from, to - from);
    *line = bytes_of(line->data + to, line->len - to);
    return word;
}

static struct bytes take_line(struct bytes *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->len);
    size_t len = end != NULL ? (size_t)(end - text->data) : text->len;
    struct bytes line = bytes_of(text->data, len);
    size_t used = end != NULL ? len + 1 : len;
    *text = bytes_of(text->data + used, text->len - used);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is(struct bytes word, const char *text)
{
    return bytes_equal(word, bytes_str(text));
}

/* ---- lines */

/* Its row; count: there is none. */
static size_t find(const struct tlog_policy *p, struct bytes name)
{
    size_t i = 0;
    while (i < p->count && !bytes_equal(p->rows[i].name, name))
        i++;
    return i;
}

/* It is shown to people. */
static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    return name.len > 0 && !is(name, "none");
}

static struct err new_row(struct tlog_policy *p, struct bytes name, struct tlog_policy_row **ret)
{
    if (p->count == POLICY_NAMES_MAX)
        return ERR(WIRE_LIMIT);
    if (!is_name(name) || find(p, name) < p->count)
        return ERR(TLOG_POLICY);
    *ret = &p->rows[p->count];
    **ret = (struct tlog_policy_row){.name = name};
    return ERR_OK;
}

static struct err read_witness(struct tlog_policy *p, struct bytes line)
{
    struct tlog_policy_row *row;
    TRY(new_row(p, take_word(&line), &row));
    struct err err = note_key_parse(take_word(&line), &row->key);
    if (!err_is_ok(err) || row->key.type != NOTE_COSIGNATURE)
        return ERR(TLOG_POLICY);
    (void)take_word(&line); /* where it is asked: nobody here does */
    if (take_word(&line).len > 0)
        return ERR(TLOG_POLICY);
    for (size_t i = 0; i < p->count; i++)
        if (p->rows[i].is_witness &&
            memcmp(p->rows[i].key.public_key, row->key.public_key, sizeof row->key.public_key) == 0)
            return ERR(TLOG_POLICY);
    row->is_witness = true;
    p->count++;
    return ERR_OK;
}

/* any, all or a number from 1 to the number of members. */
static bool read_least(struct bytes word, unsigned members, unsigned *ret_least)
{
    unsigned least = 0;
    if (is(word, "any"))
        least = 1;
    else if (is(word, "all"))
        least = members;
    else if (word.len > 2 || word.len == 0 || word.data[0] == '0')
        return false;
    else
        for (size_t i = 0; i < word.len; i++) {
            if (word.data[i] < '0' || word.data[i] > '9')
                return false;
            least = 10 * least + (unsigned)(word.data[i] - '0');
        }
    *ret_least = least;
    return least >= 1 && least <= members;
}

static struct err read_group(struct tlog_policy *p, struct bytes line)
{
    struct tlog_policy_row *row;
    unsigned members = 0;
    TRY(new_row(p, take_word(&line), &row));
    struct bytes least = take_word(&line), member;
    while ((member = take_word(&line)).len > 0) {
        size_t at = find(p, member);
        if (at == p->count || p->rows[at].in_group)
            return ERR(TLOG_POLICY);
        p->rows[at].in_group = true;
        row->members |= UINT32_C(1) << at;
        members++;
    }
    if (!read_least(least, members, &row->least))
        return ERR(TLOG_POLICY);
    p->count++;
    return ERR_OK;
}

enum { NO_QUORUM_YET = POLICY_NAMES_MAX + 1, QUORUM_NONE };

static struct err read_quorum(struct tlog_policy *p, struct bytes line)
{
    struct bytes name = take_word(&line);
    size_t at = is(name, "none") ? QUORUM_NONE : find(p, name);
    if (p->quorum != NO_QUORUM_YET || at == p->count || take_word(&line).len > 0)
        return ERR(TLOG_POLICY);
    p->quorum = at;
    return ERR_OK;
}

static struct err read_line(struct tlog_policy *p, struct bytes line)
{
    struct bytes word = take_word(&line);
    if (word.len == 0 || word.data[0] == '#' || is(word, "log"))
        return ERR_OK;
    if (is(word, "witness"))
        return read_witness(p, line);
    if (is(word, "group"))
        return read_group(p, line);
    return is(word, "quorum") ? read_quorum(p, line) : ERR(TLOG_POLICY);
}

struct err tlog_policy_parse(struct bytes text, struct tlog_policy *ret_policy)
{
    struct tlog_policy *p = ret_policy;
    if (text.len > POLICY_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    p->count = 0;
    p->quorum = NO_QUORUM_YET;
    while (text.len > 0)
        TRY(read_line(p, take_line(&text)));
    if (p->quorum == NO_QUORUM_YET)
        return ERR(TLOG_POLICY);
    if (p->quorum == QUORUM_NONE)
        p->quorum = p->count;
    return ERR_OK;
}

/* ---- judging */

static bool holds(const struct tlog_policy_row *row, const struct note *note, uint32_t who)
{
    uint64_t time_s;
    unsigned held = 0;
    if (row->is_witness)
        return err_is_ok(note_verify_cosignature(note, &row->key, &time_s));
    for (uint32_t left = row->members & who; left != 0; left &= left - 1)
        held++;
    return held >= row->least;
}

bool tlog_policy_met(const struct tlog_policy *policy, const struct note *note, uint32_t *ret_who)
{
    uint32_t who = 0;
    for (size_t i = 0; i < policy->count; i++) /* members stand before their groups */
        who |= holds(&policy->rows[i], note, who) ? UINT32_C(1) << i : 0;
    *ret_who = who;
    return policy->quorum == policy->count || (who >> policy->quorum & 1) != 0;
}
