#include "rpc/services/standard.h"

struct err standard_init(struct standard_services *standard, struct registry *registry,
                         const struct hearth_server_options *options)
{
    if (options == NULL || !options->no_health) {
        TRY(health_new(&standard->health));
        TRY(registry_add(registry, &grpc_health_v1_health_descriptor, &health_impl,
                         standard->health));
    }
    if (options != NULL && options->reflection) {
        struct reflection *reflection = NULL;
        TRY(reflection_new(&reflection));
        standard->reflection = reflection;
        TRY(registry_add(registry, reflection_v1(reflection), &reflection_impl, reflection));
        TRY(registry_add(registry, reflection_v1alpha(reflection), &reflection_impl, reflection));
    }
    return ERR_OK;
}

struct err standard_start(struct standard_services *standard, const struct registry *registry)
{
    for (size_t i = 0; i < registry->service_count && standard->health != NULL; i++)
        TRY(health_introduce(standard->health, registry->services[i]->name));
    if (standard->reflection == NULL)
        return ERR_OK;
    return reflection_index(standard->reflection, registry->services, registry->service_count);
}

void standard_clear(struct standard_services *standard)
{
    health_free(standard->health);
    reflection_free(standard->reflection);
    *standard = (struct standard_services){0};
}
