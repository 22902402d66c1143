/* The library found at run time: its version is asked first, and letting go of it leaves it where its threads are. */
#include "delegated_tenant.h"

#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library)
        return 1;
    uint32_t (*find_dt_abi_version)(void);
    *(void **)&find_dt_abi_version = dlsym(library, "dt_abi_version");
    if (!find_dt_abi_version || find_dt_abi_version() != DT_ABI_VERSION)
        return 1;
    if (dlclose(library) || !dlopen(arguments[1], RTLD_NOW | RTLD_NOLOAD))
        return 1;
    puts("ok");
    return 0;
}
