/* Lines `KP|GI ok|rej LABEL HEX`: a KeyPackage or a GroupInfo with tree, correctly signed around
 * one fault, which LABEL names. An accepted fault and a refused correct one both fail; on a refusal
 * the error is printed beside the label when MLS_VECTORS_VERBOSE is set, so that a person sees that
 * it was refused for the right reason. */
#include <stdio.h>
#include <stdlib.h>

#include "mls/public/public_group.h"
#include "vectors/vector_case.h"

static struct err judge(struct vector_case *c, struct bytes message)
{
    struct mls_policy policy = mls_policy_at(c->now);
    policy.strict_tree_lifetime = true; /* what RFC 9420 recommends is asked for, too */
    struct mls_message m;
    TRY(mls_message_parse(message, &c->arena, &m));
    if (m.wire_format == WIRE_FORMAT_KEY_PACKAGE)
        return validate_key_package(&m.key_package, NULL, &policy);
    if (m.wire_format != WIRE_FORMAT_GROUP_INFO)
        return ERR(MLS_WIRE_FORMAT);
    struct public_group g;
    TRY(public_group_from_group_info(&m.group_info, bytes_of(NULL, 0), &policy, &g));
    public_group_clear(&g);
    return ERR_OK;
}

void vector_labelled(struct vector_case *c)
{
    bool ok = strcmp(json_string_value(vector_field(c, c->json, "verdict")), "ok") == 0;
    struct err err = judge(c, vector_hex(c, c->json, "message"));
    if (getenv("MLS_VECTORS_VERBOSE") != NULL)
        printf("  %s: %s\n", json_string_value(json_object_get(c->json, "label")), err_name(err));
    if (err_is_ok(err) != ok)
        vector_fail(c, "%s: %s", json_string_value(json_object_get(c->json, "label")),
                    err_name(err));
    if (err_class_of(err) == ERR_CLASS_OURS)
        vector_fail(c, "our own fault: %s", err_name(err));
}

json_t *vector_labelled_file(const char *path)
{
    FILE *file = fopen(path, "r");
    json_t *cases = json_array();
    char *line = NULL;
    size_t room = 0;
    while (file != NULL && getline(&line, &room, file) > 0) {
        char kind[3];
        char verdict[4];
        char label[200];
        int hex = 0;
        if (sscanf(line, "%2s %3s %199s %n", kind, verdict, label, &hex) != 3 || hex == 0)
            continue;
        line[strcspn(line, "\r\n")] = 0;
        json_array_append_new(cases, json_pack("{s:s, s:s, s:s}", "verdict", verdict, "label",
                                               label, "message", line + hex));
    }
    free(line);
    if (file != NULL)
        (void)fclose(file);
    if (json_array_size(cases) > 0)
        return cases;
    json_decref(cases);
    return NULL;
}
